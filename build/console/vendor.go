package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
)

// library is a package of npm of which some files lie in web/vendor.
type library struct {
	Package   string            `json:"package"`
	Version   string            `json:"version"`
	Integrity string            `json:"integrity"` // sha512- and the SHA-512 of the archive, in base64, as npm writes it into lock files
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
	fetched, err := archives(ctx, []library{axe})
	if err != nil {
		return err
	}
	files, err := axe.unpack(fetched[0])
	if err != nil {
		return err
	}
	folder = filepath.Join(folder, "flagside")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "axe.js"), files["axe.js"], 0o600)
}

// libraries are those that packages.json of a folder names.
func libraries(folder string) ([]library, error) {
	text, err := os.ReadFile(filepath.Join(folder, "packages.json"))
	if err != nil {
		return nil, err
	}
	var all []library
	if err := json.Unmarshal(text, &all, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("packages.json: %w", err)
	}
	return all, nil
}

// vendor fetches the files of all libraries that packages.json of a folder names.
func vendor(ctx context.Context, folder string) error {
	all, err := libraries(folder)
	if err != nil {
		return err
	}
	fetched, err := archives(ctx, all)
	if err != nil {
		return err
	}
	for i, l := range all {
		files, err := l.unpack(fetched[i])
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

// archives returns the archives of libraries. npm gets them, from where it is configured to, and each is checked.
func archives(ctx context.Context, all []library) ([][]byte, error) {
	folder, err := os.MkdirTemp("", "flagside-npm-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	arguments := []string{"pack", "--silent", "--pack-destination", folder}
	for _, l := range all {
		arguments = append(arguments, l.Package+"@"+l.Version)
	}
	npm := exec.CommandContext(ctx, "npm", arguments...) //nolint:gosec // names are constants of the project
	npm.Stderr = os.Stderr
	if err := npm.Run(); err != nil {
		return nil, fmt.Errorf("npm pack: %w", err)
	}
	found := make([][]byte, len(all))
	for i, l := range all {
		if found[i], err = os.ReadFile(filepath.Join(folder, l.archive())); err != nil {
			return nil, fmt.Errorf("npm pack: %w", err)
		}
		sum := sha512.Sum512(found[i])
		if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != l.Integrity {
			return nil, fmt.Errorf("%s %s has the integrity %s, want %s", l.Package, l.Version, got, l.Integrity)
		}
	}
	return found, nil
}

// archive is how npm names the archive.
func (l library) archive() string {
	return strings.ReplaceAll(strings.TrimPrefix(l.Package, "@"), "/", "-") + "-" + l.Version + ".tgz"
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

// install writes everything that the archive of a library has into a folder.
func (l library) install(archive []byte, folder string) error {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	for entries := tar.NewReader(unzipped); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, inside := strings.CutPrefix(entry.Name, "package/")
		if entry.Typeflag != tar.TypeReg || !inside || !filepath.IsLocal(name) {
			continue
		}
		content, err := io.ReadAll(entries)
		if err != nil {
			return err
		}
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o700); err != nil { //nolint:gosec // one of them is the compiler
			return err
		}
	}
}
