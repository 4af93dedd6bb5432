package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
)

// library is a package of the npm registry of which some files lie in web/vendor.
type library struct {
	Package   string            `json:"package"`
	Version   string            `json:"version"`
	Integrity string            `json:"integrity"` // sha512- and the SHA-512 of the archive, in base64, as the registry tells it
	Files     map[string]string `json:"files"`     // names in web/vendor, and paths in the package
}

// axe has the accessibility checks of the tests. Nothing else uses them, so they are not in the repository.
var axe = library{
	Package: "axe-core", Version: "4.14.1",
	Integrity: "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
	Files:     map[string]string{"axe.js": "axe.min.js"},
}

// fetchAxe puts axe-core where the tests look for it.
func fetchAxe(ctx context.Context) error {
	folder, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	files, err := axe.fetch(ctx)
	if err != nil {
		return err
	}
	folder = filepath.Join(folder, "flagside")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "axe.js"), files["axe.js"], 0o600)
}

// vendor fetches the files of all libraries that packages.json of a folder names.
func vendor(ctx context.Context, folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, "packages.json"))
	if err != nil {
		return err
	}
	var all []library
	if err := json.Unmarshal(text, &all, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("packages.json: %w", err)
	}
	for _, l := range all {
		files, err := l.fetch(ctx)
		if err != nil {
			return fmt.Errorf("%s %s: %w", l.Package, l.Version, err)
		}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil { //nolint:gosec // source, for everyone to read
				return err
			}
		}
	}
	return nil
}

// fetch returns the files of a library, whose archive is checked. The registry is the one that npm would ask.
func (l library) fetch(ctx context.Context) (map[string][]byte, error) {
	registry := strings.TrimSuffix(cmp.Or(os.Getenv("npm_config_registry"), "https://registry.npmjs.org"), "/")
	address := fmt.Sprintf("%s/%s/-/%s-%s.tgz", registry, l.Package, path.Base(l.Package), l.Version)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil) //nolint:gosec // the registry is configuration, and what it sends is compared with a digest
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request) //nolint:gosec // as above
	if err != nil {
		return nil, err
	}
	archive, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, answer.Status)
	}
	sum := sha512.Sum512(archive)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != l.Integrity {
		return nil, fmt.Errorf("%s has the integrity %s, want %s", address, got, l.Integrity)
	}
	return l.unpack(archive)
}

// unpack returns the files of a library from its archive, without their references to source maps.
func (l library) unpack(archive []byte) (map[string][]byte, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	found := map[string][]byte{}
	for entries := tar.NewReader(unzipped); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for name, wanted := range l.Files {
			if entry.Name != "package/"+wanted {
				continue
			}
			content, err := io.ReadAll(entries)
			if err != nil {
				return nil, err
			}
			code, _, _ := bytes.Cut(content, []byte("//# sourceMappingURL="))
			found[name] = append(bytes.TrimRight(code, "\n"), '\n')
		}
	}
	if len(found) != len(l.Files) {
		return nil, fmt.Errorf("the archive has %d of the %d files that are wanted", len(found), len(l.Files))
	}
	return found, nil
}
