// Package watch tells when the files of a source change: written in place, replaced by renaming others over them, or reached through links that point
// elsewhere now, which is how Kubernetes updates a mounted ConfigMap and git-sync a checkout.
//
// # Concurrency properties
//
// A Watcher is for one goroutine.
package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/flagside/flagside/internal/publisher/source"
)

const (
	// quiet is how long a file must not have changed before it is read: editors and copies write in several steps.
	quiet = 50 * time.Millisecond
	// look is how often the file is looked at without a notice, for file systems and chains of links that give none.
	look = 2 * time.Second
)

// Watcher tells when a file, or one of the files of a directory, has changed. Create it with New.
type Watcher struct {
	path   string
	notice *fsnotify.Watcher
	seen   version
}

// version is what shows that files are others or have other contents. The zero value is that of no file.
type version []versionedFile

type versionedFile struct {
	name string
	info os.FileInfo
}

// New begins to watch, so that no change is missed after the file is read for the first time. The directory that the path is in must exist.
func New(path string) (*Watcher, error) {
	notice, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	w := &Watcher{path: path, notice: notice}
	// The directory, not the file: a file that is replaced would not be watched any more.
	if err := notice.Add(filepath.Dir(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", filepath.Dir(path), err), notice.Close())
	}
	w.seen = w.version()
	w.followLinks()
	return w, nil
}

// Close ends a watcher that does not run.
func (w *Watcher) Close() error { return w.notice.Close() }

// followLinks also watches the directories that the files are really in, those of a source that is a directory itself, and those of links on the
// way to it.
func (w *Watcher) followLinks() {
	directories, _ := source.Directories(w.path)
	directories = append(directories, linksOn(w.path)...)
	names, _ := source.Names(w.path)
	for _, name := range append(names, w.path) {
		if target, err := filepath.EvalSymlinks(name); err == nil {
			directories = append(directories, filepath.Dir(target))
		}
	}
	slices.Sort(directories)
	for _, directory := range slices.Compact(directories) {
		_ = w.notice.Add(directory) // the regular look is enough where this fails
	}
}

// followDirectory also watches something new if it is a directory of the source. It looks at no other: thousands of files may be new at once.
func (w *Watcher) followDirectory(name string) {
	below, ok := strings.CutPrefix(name, w.path+string(filepath.Separator))
	if !ok || strings.HasPrefix(below, ".") || strings.Contains(below, string(filepath.Separator)+".") {
		return
	}
	if info, err := os.Lstat(name); err != nil || !info.IsDir() {
		return
	}
	directories, _ := source.Directories(name)
	for _, directory := range directories {
		_ = w.notice.Add(directory) // the regular look is enough where this fails
	}
}

// linksOn returns the directories of the links on the way to a path.
func linksOn(path string) (directories []string) {
	for up := filepath.Dir(path); up != filepath.Dir(up); path, up = up, filepath.Dir(up) {
		if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
			directories = append(directories, up)
		}
	}
	return directories
}

func (w *Watcher) version() (v version) {
	names, err := source.Names(w.path)
	if err != nil {
		return nil
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			v = append(v, versionedFile{name, info})
		}
	}
	return v
}

func (v version) same(other version) bool {
	return slices.EqualFunc(v, other, func(a, b versionedFile) bool {
		return a.name == b.name && os.SameFile(a.info, b.info) && a.info.Size() == b.info.Size() && a.info.ModTime().Equal(b.info.ModTime())
	})
}

// concerns reports whether a notice is of the file itself, or of one in the directory.
func (w *Watcher) concerns(name string) bool {
	return name == w.path || strings.HasPrefix(name, w.path+string(filepath.Separator)) && source.IsFile(name)
}

// Run calls load each time the file has changed and is quiet again, until ctx ends. When load asks for it, or again is set, load is called
// once more after a while; so it is when due says so. A notice of the file itself counts as a change: a copy may keep the size and the time of what it replaces.
func (w *Watcher) Run(ctx context.Context, again bool, due func(context.Context) bool, load func(context.Context) (again bool)) error {
	settled := time.NewTimer(quiet)
	defer settled.Stop()
	regular := time.NewTicker(look)
	defer regular.Stop()
	for {
		select {
		case <-ctx.Done():
			return w.Close()
		case event := <-w.notice.Events:
			again = again || w.concerns(event.Name)
			if event.Has(fsnotify.Create) {
				w.followDirectory(event.Name)
			}
			if again || w.changed() {
				settled.Reset(quiet)
			}
		case <-w.notice.Errors: // notices were lost
			settled.Reset(quiet)
		case <-regular.C:
			again = again || due(ctx)
			if again || w.changed() {
				settled.Reset(quiet)
			}
		case <-settled.C:
			if now := w.version(); again || !now.same(w.seen) {
				w.seen = now
				w.followLinks()
				again = load(ctx)
			}
		}
	}
}

func (w *Watcher) changed() bool { return !w.version().same(w.seen) }
