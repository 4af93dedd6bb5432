package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoCommit means that the history of the project is not here, or is too short.
var ErrNoCommit = errors.New("the commit is not in this checkout")

// At compiles publisher and sidecar of a commit, which stand for a version that is in use. They share keys and token with those of b.
func (b Binaries) At(ctx context.Context, commit string) (Binaries, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return Binaries{}, err
	}
	if err := exec.CommandContext(ctx, "git", "-C", root, "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
		return Binaries{}, fmt.Errorf("%w: %s", ErrNoCommit, commit)
	}
	source, err := os.MkdirTemp(filepath.Dir(b.Publisher), "source-")
	if err != nil {
		return Binaries{}, err
	}
	if err := extract(ctx, root, commit, source); err != nil {
		return Binaries{}, err
	}
	return b.compile(ctx, source, commit[:7])
}

// extract writes the files of a commit into a folder.
func extract(ctx context.Context, root, commit, folder string) error {
	// #nosec G204 -- a commit and folders of the caller's.
	archive, unpack := exec.CommandContext(ctx, "git", "-C", root, "archive", commit), exec.CommandContext(ctx, "tar", "-x", "-C", folder)
	r, w := io.Pipe()
	archive.Stdout, unpack.Stdin = w, r
	if err := unpack.Start(); err != nil {
		return err
	}
	err := archive.Run()
	_ = w.CloseWithError(err) // no error ends the input
	if err := errors.Join(err, unpack.Wait()); err != nil {
		return fmt.Errorf("read the files of %s: %w", commit, err)
	}
	return nil
}

// Edit replaces text in a source file.
type Edit struct {
	File     string // below the module's root
	Old, New string
}

// Edited compiles publisher and sidecar with changed source, which stand for another version. They share keys and token with those of b. Each text to replace
// must be there.
func (b Binaries) Edited(ctx context.Context, name string, edits ...Edit) (Binaries, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return Binaries{}, err
	}
	texts := map[string]string{}
	for _, e := range edits {
		file := filepath.Join(root, e.File)
		if texts[file] == "" {
			text, err := os.ReadFile(file) // #nosec G304 -- a source file of this module
			if err != nil {
				return Binaries{}, err
			}
			texts[file] = string(text)
		}
		if !strings.Contains(texts[file], e.Old) {
			return Binaries{}, fmt.Errorf("%s does not contain %q", e.File, e.Old)
		}
		texts[file] = strings.ReplaceAll(texts[file], e.Old, e.New)
	}
	overlay, err := writeOverlay(filepath.Dir(b.Publisher), texts)
	if err != nil {
		return Binaries{}, err
	}
	return b.compile(ctx, root, name, "-overlay", overlay)
}

// writeOverlay writes the texts that stand in place of files, and the file that tells the compiler so.
func writeOverlay(dir string, texts map[string]string) (overlay string, err error) {
	made, err := os.MkdirTemp(dir, "overlay-")
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range texts {
		replace[file] = filepath.Join(made, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(replace[file], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(made, "overlay.json")
	return overlay, os.WriteFile(overlay, content, 0o600)
}

// compile builds publisher and sidecar of a source tree beside those of b, under the name of their version. The command line stays that of b.
func (b Binaries) compile(ctx context.Context, source, version string, options ...string) (Binaries, error) {
	dir, other := filepath.Dir(b.Publisher), b
	other.Sidecar, other.Publisher = filepath.Join(dir, "sidecar-"+version), filepath.Join(dir, "publisher-"+version)
	for name, path := range map[string]string{"sidecar": other.Sidecar, "publisher": other.Publisher} {
		arguments := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path}, options...)
		build := exec.CommandContext(ctx, "go", append(arguments, "./cmd/"+name)...) // #nosec G204 -- constants, and folders of the caller's
		build.Dir, build.Env = source, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return Binaries{}, fmt.Errorf("build %s of %s: %w\n%s", name, version, err, out)
		}
	}
	return other, nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	return strings.TrimSpace(string(out)), err
}
