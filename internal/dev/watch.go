package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// quiet is how long a file must not have changed before it is read: editors and copies write in several steps.
	quiet = 50 * time.Millisecond
	// look is how often the file is looked at without a notice, for file systems and chains of links that give none.
	look = 2 * time.Second
)

// watcher tells when a file has changed: written in place, replaced by renaming another over it, or reached through a link that points
// elsewhere now, which is how Kubernetes updates a mounted ConfigMap.
type watcher struct {
	path   string
	notice *fsnotify.Watcher
	seen   version
}

// version is what shows that a file is another one or has other contents. The zero value is that of no file.
type version struct{ info os.FileInfo }

// newWatcher begins to watch, so that no change is missed after the file is read for the first time.
func newWatcher(path string) (*watcher, error) {
	notice, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	w := &watcher{path: path, notice: notice}
	// The directory, not the file: a file that is replaced would not be watched any more.
	if err := notice.Add(filepath.Dir(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", filepath.Dir(path), err), notice.Close())
	}
	w.seen = w.version()
	w.followLinks()
	return w, nil
}

func (w *watcher) close() error { return w.notice.Close() }

// followLinks also watches the directory that the file is really in.
func (w *watcher) followLinks() {
	if target, err := filepath.EvalSymlinks(w.path); err == nil {
		_ = w.notice.Add(filepath.Dir(target)) // the regular look is enough where this fails
	}
}

func (w *watcher) version() version {
	info, err := os.Stat(w.path)
	if err != nil {
		return version{}
	}
	return version{info}
}

func (v version) same(other version) bool {
	if v.info == nil || other.info == nil {
		return v.info == other.info
	}
	return os.SameFile(v.info, other.info) && v.info.Size() == other.info.Size() && v.info.ModTime().Equal(other.info.ModTime())
}

// run calls load each time the file has changed and is quiet again, until ctx ends. When load asks for it, or again is set, load is called
// once more after a while; so it is when due says so. A notice of the file itself counts as a change: a copy may keep the size and the time of what it replaces.
func (w *watcher) run(ctx context.Context, again bool, due func(context.Context) bool, load func(context.Context) (again bool)) error {
	settled := time.NewTimer(quiet)
	defer settled.Stop()
	regular := time.NewTicker(look)
	defer regular.Stop()
	for {
		select {
		case <-ctx.Done():
			return w.close()
		case event := <-w.notice.Events:
			again = again || event.Name == w.path
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

func (w *watcher) changed() bool { return !w.version().same(w.seen) }
