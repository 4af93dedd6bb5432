package console_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/console"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	ask := func(method, path string, header http.Header) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		r.Header = header
		w := httptest.NewRecorder()
		console.Handler().ServeHTTP(w, r)
		return w
	}
	index := ask(http.MethodGet, "/console/", nil).Body.String()
	script := regexp.MustCompile(`/console/assets/main-\w+\.js`).FindString(index)
	style := regexp.MustCompile(`/console/assets/main-\w+\.css`).FindString(index)
	for path, want := range map[string]struct {
		status      int
		media, kept string
	}{
		"/console/":                      {200, "text/html; charset=utf-8", "no-store"},
		"/console/prod/flags/a%2Fb":      {200, "text/html; charset=utf-8", "no-store"},
		"/console/assets/main-OLD.js":    {404, "text/plain; charset=utf-8", ""},
		"/console/assets/index.html":     {404, "text/plain; charset=utf-8", ""},
		"/console/assets/..%2Findex.htm": {404, "text/plain; charset=utf-8", ""},
		"/console/assets/licenses.txt":   {200, "text/plain; charset=utf-8", "no-store"},
		"/":                              {404, "text/plain; charset=utf-8", ""},
		"/console":                       {404, "text/plain; charset=utf-8", ""},
		script:                           {200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		style:                            {200, "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
	} {
		for _, compressed := range []bool{false, true} {
			header := http.Header{}
			if compressed {
				header.Set("Accept-Encoding", "br, gzip")
			}
			got := ask(http.MethodGet, path, header)
			text := got.Body.String()
			if got.Code != want.status || got.Header().Get("Content-Type") != want.media || got.Header().Get("Cache-Control") != want.kept {
				t.Errorf("%s: %d %s %q, want %+v", path, got.Code, got.Header().Get("Content-Type"), got.Header().Get("Cache-Control"), want)
			}
			if policy := got.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: policy %q", path, policy)
			}
			if got.Header().Get("Content-Encoding") == "gzip" {
				unzipped, err := gzip.NewReader(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				plain, err := io.ReadAll(unzipped)
				if err != nil || string(plain) != ask(http.MethodGet, path, nil).Body.String() {
					t.Errorf("%s: compressed it is something else, %v", path, err)
				}
			} else if compressed && want.status == http.StatusOK {
				t.Errorf("%s is not compressed", path)
			}
		}
	}
	if got := ask(http.MethodPost, "/console/", nil); got.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered with %d", got.Code)
	}
	for _, inline := range []string{"<style", "style=", "onclick", "<script>"} {
		if strings.Contains(index, inline) {
			t.Errorf("index.html has %s, which the policy forbids", inline)
		}
	}
}

// What the first page loads stays small: for people on a train, and at two in the morning.
func TestBudget(t *testing.T) {
	t.Parallel()
	script, style, largest := sizes(t)
	t.Attr("first_js_kb", fmt.Sprintf("%.1f", float64(script)/1024))
	t.Attr("first_css_kb", fmt.Sprintf("%.1f", float64(style)/1024))
	if script > 40<<10 || style > 10<<10 {
		t.Errorf("the first page loads %d bytes of script and %d of style, at most 40 KiB and 10 KiB are allowed", script, style)
	}
	t.Attr("editor_kb", fmt.Sprintf("%.1f", float64(largest)/1024))
	if largest > 130<<10 {
		t.Errorf("a part that is loaded later has %d bytes, at most 130 KiB are allowed", largest)
	}
	chart := zippedSize(t, filepath.Join("dist", plotter(t)))
	t.Attr("chart_kb", fmt.Sprintf("%.1f", float64(chart)/1024))
	if chart > 30<<10 {
		t.Errorf("what draws charts has %d bytes, at most 30 KiB are allowed", chart)
	}
}

// sizes returns how many compressed bytes of script and style the first page loads, and of the largest part that is loaded later: the editor.
func sizes(t testing.TB) (script, style, largest int) {
	t.Helper()
	files, err := filepath.Glob("dist/*")
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile("dist/index.html")
	if err != nil {
		t.Fatal(err)
	}
	loaded := loadedBy(t, string(index))
	for _, file := range files {
		zipped := zippedSize(t, file)
		switch first := loaded[filepath.Base(file)]; {
		case first && filepath.Ext(file) == ".js":
			script += zipped
		case first && filepath.Ext(file) == ".css":
			style += zipped
		case filepath.Ext(file) == ".js":
			largest = max(largest, zipped)
		}
	}
	return script, style, largest
}

// zippedSize returns how many bytes a file has when it is sent.
func zippedSize(t testing.TB, file string) int {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return zipped.Len()
}

// loadedBy returns the names of the files that a text names, and of those that they import at once. What is imported later is left out.
func loadedBy(t testing.TB, text string) map[string]bool {
	t.Helper()
	loaded := map[string]bool{}
	for _, name := range regexp.MustCompile(`(?:/console/assets/|from ?"\./|import ?"\./)([^"]+)`).FindAllStringSubmatch(text, -1) {
		content, err := os.ReadFile(filepath.Join("dist", name[1]))
		if err != nil {
			t.Fatal(err)
		}
		loaded[name[1]] = true
		if filepath.Ext(name[1]) == ".js" {
			maps.Copy(loaded, loadedBy(t, string(content)))
		}
	}
	return loaded
}
