package console

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Path is where the page is; everything below it is the page, too, and finds its own way.
const Path = "/console/"

const (
	assets = Path + "assets/"
	index  = "index.html"
)

// policy lets the page load and send nothing that is not of its own origin, and be framed nowhere. Names, reasons and values are text of others:
// with trusted types, no script can turn one of them into markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; " +
	"form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

//go:embed dist
var bundle embed.FS

// mediaTypes are those of the files by how their names end, whatever the system believes.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".txt": "text/plain; charset=utf-8",
}

// asset is a file of the bundle.
type asset struct {
	content, zipped []byte
	mediaType       string
}

// Handler returns the page: its files below /console/assets/, those with a hash in their names for ever, and index.html for every other address below
// /console/. Anything else is not found. It is for many requests at once.
func Handler() http.Handler {
	files, err := load(bundle)
	if err != nil {
		panic("console: " + err.Error()) // the files are in the program
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+assets+"{name}", func(w http.ResponseWriter, r *http.Request) {
		file, ok := files[r.PathValue("name")]
		if !ok || r.PathValue("name") == index {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if strings.HasPrefix(r.PathValue("name"), "main-") || strings.HasPrefix(r.PathValue("name"), "chunk-") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		file.serve(w, r)
	})
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		files[index].serve(w, r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !strings.HasPrefix(r.URL.Path, Path) {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// load reads the files of the bundle and compresses them once.
func load(bundle fs.FS) (map[string]asset, error) {
	files := map[string]asset{}
	return files, fs.WalkDir(bundle, "dist", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(bundle, file)
		if err != nil {
			return err
		}
		var zipped bytes.Buffer
		w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		files[path.Base(file)] = asset{content, zipped.Bytes(), mediaTypes[path.Ext(file)]}
		return nil
	})
}

// serve answers with the file, compressed where the client takes that.
func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", a.mediaType)
	w.Header().Set("Vary", "Accept-Encoding")
	content := a.content
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		content = a.zipped
	}
	_, _ = w.Write(content) // fails only when the client is gone
}
