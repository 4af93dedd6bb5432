package objects_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/usage/sinks/objects"
)

// Files are there whole, for the publisher and its group, and are replaced in one step while others read and write them.
func TestFilesAreReplacedInOneStep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := objects.NewDirectory(dir)
	const name = "series=counts/env=prod/file.parquet"
	contents := [][]byte{bytes.Repeat([]byte("a"), 1<<16), bytes.Repeat([]byte("b"), 1<<15)}
	if err := d.Put(t.Context(), name, contents[0]); err != nil {
		t.Fatal(err)
	}
	var writing sync.WaitGroup
	for _, content := range contents {
		writing.Go(func() {
			for range 20 {
				if err := d.Put(t.Context(), name, content); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1]) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	writing.Wait()
	about, err := os.Stat(filepath.Join(dir, name))
	if err != nil || about.Mode().Perm()&0o027 != 0 {
		t.Errorf("mode %v, %v", about.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, ".writing")); err != nil || len(left) > 0 {
		t.Errorf("left aside: %v, %v", left, err)
	}
}

// Links in the directory, and names that lead out of it, do not.
func TestLinksLeadNowhere(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	d := objects.NewDirectory(dir)
	if err := os.Symlink(elsewhere, filepath.Join(dir, "series=counts")); err != nil {
		t.Skipf("links cannot be made here: %v", err)
	}
	for _, name := range []string{"series=counts/file.parquet", "../file.parquet", filepath.Join(elsewhere, "file.parquet")} {
		if err := d.Put(t.Context(), name, []byte("x")); err == nil {
			t.Errorf("%s is written", name)
		}
	}
	if found, err := os.ReadDir(elsewhere); err != nil || len(found) > 0 {
		t.Errorf("written elsewhere: %v, %v", found, err)
	}
}

// What a process that was killed has left aside goes after an hour, and nothing else does.
func TestClean(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := objects.NewDirectory(filepath.Join(dir, "none"))
	if err := d.Clean(time.Now()); err == nil {
		t.Error("a directory that is not there is clean")
	}
	d = objects.NewDirectory(dir)
	if err := d.Clean(time.Now()); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
	if err := d.Put(t.Context(), "kept.parquet", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := os.WriteFile(filepath.Join(dir, ".writing", fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		left, err := os.ReadDir(filepath.Join(dir, ".writing"))
		if err != nil {
			t.Fatal(err)
		}
		return len(left)
	}
	if err := d.Clean(time.Now()); err != nil || count() != 3 {
		t.Errorf("%d left at once, %v", count(), err)
	}
	if err := d.Clean(time.Now().Add(2 * time.Hour)); err != nil || count() != 0 {
		t.Errorf("%d left after hours, %v", count(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kept.parquet")); err != nil {
		t.Error(err)
	}
}
