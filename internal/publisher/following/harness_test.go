package following_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/following"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
)

// environment is what follows sources here; no policy wants an approval.
const environment = "staging"

// house is a publisher in the process of the test.
type house struct {
	*publisher.Publisher

	t   *testing.T
	log *logtest.Log
}

// startPublisher runs a publisher until the test ends; url is that of NATS, empty for an embedded server. The first one makes the environment.
func startPublisher(t *testing.T, url string, first bool) *house {
	t.Helper()
	h := &house{t: t, log: &logtest.Log{}}
	o := publisher.Options{AdminAddr: "127.0.0.1:0", Logger: zerolog.New(h.log)}
	if url == "" {
		o.DataDir, o.NATSAddr = t.TempDir(), "127.0.0.1:0"
	} else {
		o.NATS, o.KeysDir = url, trusttest.Default().Directory(t)
	}
	var err error
	if h.Publisher, err = publisher.New(o); err != nil {
		t.Fatal(err)
	}
	h.runs(h.Run)
	ctx, cancel := context.WithTimeout(t.Context(), waiting.Patience)
	defer cancel()
	if err := h.Ready(ctx); err != nil {
		t.Fatalf("%v\n%s", err, h.log)
	}
	if first {
		if _, err := h.Create(ctx, environment, "test", ""); err != nil {
			t.Fatal(err)
		}
	}
	h.await("the environment", func() bool { _, err := h.Control(ctx, environment); return err == nil })
	return h
}

// runs runs something until the test ends.
func (h *house) runs(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); err != nil {
			h.t.Error(err)
		}
	})
	h.t.Cleanup(func() { cancel(); wg.Wait() })
}

func (h *house) await(what string, holds func() bool) {
	h.t.Helper()
	waiting.Until(h.t, what, holds, h.log)
}

// follow follows a path whose files are in dir here.
func (h *house) follow(path, dir string, sole bool) *following.Follower {
	h.t.Helper()
	f, err := following.New(following.Options{
		Spec: following.Spec{Environment: environment, Path: path}, Control: h.Control, Sole: sole, Logger: zerolog.New(h.log),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	f.ReadFrom(dir)
	h.runs(f.Run)
	return f
}

func (h *house) service() *control.Service {
	h.t.Helper()
	service, err := h.Control(h.t.Context(), environment)
	if err != nil {
		h.t.Fatal(err)
	}
	return service
}

// flags returns the descriptions of all flags as they are known here.
func (h *house) flags() map[string]string {
	all := map[string]string{}
	state, err := h.service().Known()
	if err != nil {
		return all
	}
	for d := range state.Documents() {
		if d.Kind == document.KindFlag {
			all[d.Key] = described(d.Body)
		}
	}
	return all
}

// describes reports whether a flag has a description, as far as is known here.
func (h *house) describes(key, text string) bool {
	state, err := h.service().Known()
	if err != nil {
		return false
	}
	d, _ := state.Document(flagID(key))
	return described(d.Body) == text
}

func described(body []byte) string {
	_, after, _ := strings.Cut(string(body), `"description":"`)
	text, _, _ := strings.Cut(after, `"`)
	return text
}

// fileOf is a flag file in which all flags have the same description.
func fileOf(description string, keys ...string) []byte {
	var members []string
	for _, key := range keys {
		members = append(members, fmt.Sprintf(`%q:{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","description":%q}`, key, description))
	}
	return fmt.Appendf(nil, `{"flags":{%s}}`, strings.Join(members, ",\n"))
}

// checkout is a directory as git-sync keeps one: current is a link to the newest of several worktrees.
type checkout struct {
	t    *testing.T
	root string
	last string // the worktree that current leads to
}

func newCheckout(t *testing.T) *checkout {
	t.Helper()
	return &checkout{t: t, root: t.TempDir()}
}

// path is where the files are: behind the link.
func (c *checkout) path() string { return filepath.Join(c.root, "current", "flags") }

// sync makes a worktree with files, lets the link lead there at once, and removes the one before.
func (c *checkout) sync(commit int, files map[string][]byte) {
	c.t.Helper()
	worktree := filepath.Join(".worktrees", fmt.Sprintf("%040x", commit))
	do := func(err error) {
		if err != nil {
			c.t.Error(err)
		}
	}
	do(os.MkdirAll(filepath.Join(c.root, worktree, "flags"), 0o700))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		do(os.WriteFile(filepath.Join(c.root, worktree, "flags", name), files[name], 0o600))
	}
	do(os.Symlink(worktree, filepath.Join(c.root, "tmp-link")))
	do(os.Rename(filepath.Join(c.root, "tmp-link"), filepath.Join(c.root, "current")))
	if c.last != "" && c.last != worktree {
		do(os.RemoveAll(filepath.Join(c.root, c.last)))
	}
	c.last = worktree
}
