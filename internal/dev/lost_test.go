package dev_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/dev"
	"github.com/flagside/flagside/internal/natstest"
)

// The log of the environment is lost under a running dev: answers go on, and the file is published again by itself. So it is after a
// restart that finds no log.
func TestThePublishedFileComesBack(t *testing.T) {
	t.Parallel()
	file, data := newFile(t, one("first")), t.TempDir()
	r := start(t, dev.Options{File: file, DataDir: data})
	r.await("ready", r.ready)
	r.deleteLog()
	for deadline := time.Now().Add(100 * time.Millisecond); time.Now().Before(deadline); {
		if got := r.answer("greeting"); got != "first" {
			t.Fatalf("without its log the sidecar answers %s", got)
		}
	}
	r.await("a new epoch", func() bool { return strings.Contains(r.log.String(), "a new epoch was written") })
	write(t, file, one("second"))
	r.awaitAnswer("greeting", "second")

	r.deleteLog()
	r.stop()
	r = start(t, dev.Options{File: file, DataDir: data})
	r.await("ready", r.ready)
	r.awaitAnswer("greeting", "second")
	write(t, file, one("third"))
	r.awaitAnswer("greeting", "third")
}

// deleteLog deletes the stream of the environment.
func (r *running) deleteLog() {
	r.t.Helper()
	c := natstest.Connect(r.t, regexp.MustCompile(`nats://[0-9.:]+`).FindString(r.out.String()))
	answer, err := c.Request("$JS.API.STREAM.DELETE.FLAGS_"+dev.DefaultEnvironment, nil, patience)
	if err != nil || !strings.Contains(string(answer.Data), `"success":true`) {
		r.t.Fatalf("delete the log: %v", err)
	}
}
