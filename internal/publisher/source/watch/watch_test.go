package watch_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/publisher/source"
	"github.com/flagside/flagside/internal/publisher/source/watch"
	"github.com/flagside/flagside/internal/waiting"
)

// watched is a directory that is watched, with the number of files that were there when it was told to have changed last.
type watched struct {
	dir string

	mu    sync.Mutex
	files int
}

func watchDirectory(t *testing.T) *watched {
	t.Helper()
	w := &watched{dir: t.TempDir()}
	watcher, err := watch.New(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		err := watcher.Run(ctx, false, func(context.Context) bool { return false }, func(context.Context) bool {
			names, _ := source.Names(w.dir)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.files = len(names)
			return false
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return w
}

func (w *watched) told() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files
}

func (w *watched) write(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(`{"flags":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Many files that come at once are told soon: what one costs does not grow with the others. If it did, 10,000 would take minutes.
func TestManyFilesAtOnce(t *testing.T) {
	t.Parallel()
	w := watchDirectory(t)
	const many = 10_000
	for i := range many {
		w.write(t, fmt.Sprintf("flags-%d.json", i))
	}
	waiting.Until(t, "all files", func() bool { return w.told() == many })
}

// Directories that come later are watched too, those in them as well.
func TestNewDirectoriesAreWatched(t *testing.T) {
	t.Parallel()
	w := watchDirectory(t)
	w.write(t, "a.json")
	waiting.Until(t, "the first file", func() bool { return w.told() == 1 })
	for i, dir := range []string{"team", "team/search", "team/search/deep"} {
		if err := os.Mkdir(filepath.Join(w.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		w.write(t, dir+"/b.json")
		waiting.Until(t, dir, func() bool { return w.told() == i+2 })
	}
}
