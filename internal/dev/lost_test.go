package dev_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/dev"
)

// The log of the environment is lost while dev does not run: the file is published again by itself, as a new epoch. (While it runs, only
// the server itself can delete a stream.)
func TestThePublishedFileComesBack(t *testing.T) {
	t.Parallel()
	file, data := newFile(t, one("first")), t.TempDir()
	r := start(t, dev.Options{File: file, DataDir: data})
	r.await("ready", r.ready)
	r.stop()
	for _, next := range []string{"second", "third"} {
		write(t, file, one(next))
		deleteLog(t, data)
		r = start(t, dev.Options{File: file, DataDir: data})
		r.await("a new epoch", func() bool { return strings.Contains(r.log.String(), "new epoch begun") })
		r.await("ready", r.ready)
		r.awaitAnswer("greeting", next)
		write(t, file, one(next+" again"))
		r.awaitAnswer("greeting", next+" again")
		r.stop()
	}
}

// deleteLog deletes the stream of the environment in a data directory.
func deleteLog(t *testing.T, data string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(data, "jetstream", "*", "streams", "FLAGS_"+dev.DefaultEnvironment))
	if err != nil || len(found) != 1 {
		t.Fatalf("streams %v, %v", found, err)
	}
	if err := os.RemoveAll(found[0]); err != nil {
		t.Fatal(err)
	}
}
