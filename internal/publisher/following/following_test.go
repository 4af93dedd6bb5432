package following_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/following"
)

func flagID(key string) document.ID { return document.ID{Kind: document.KindFlag, Key: key} }

// While the link of a checkout moves 200 times, every version that is applied is one that was there: its files are of one commit.
func TestLinkSwapsAreFollowed(t *testing.T) {
	t.Parallel()
	h, c := startPublisher(t, "", true), newCheckout(t)
	files := func(commit int) map[string][]byte {
		text := fmt.Sprint("commit ", commit)
		return map[string][]byte{"a.json": fileOf(text, "a", "c"), "b.json": fileOf(text, "b")}
	}
	c.sync(0, files(0))
	f := h.follow("/flags", c.path(), true)
	h.await("the first commit", func() bool { return h.flags()["a"] == "commit 0" })
	const swaps = 200
	var wg sync.WaitGroup
	wg.Go(func() {
		for commit := 1; commit <= swaps; commit++ {
			c.sync(commit, files(commit))
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			if commit%20 == 0 { // time enough to be seen
				h.await("a commit", func() bool { return h.flags()["b"] == fmt.Sprint("commit ", commit) })
			}
		}
	})
	wg.Wait()
	h.await("the last commit", func() bool {
		s := f.Status() // which is told after the change
		return h.flags()["b"] == fmt.Sprint("commit ", swaps) && s.State == following.Applied && s.Version == fmt.Sprintf("%040x", swaps)
	})
	applied := map[string]map[string]string{} // descriptions by op-id and flag
	for _, key := range []string{"a", "b", "c"} {
		for r, err := range h.service().History(t.Context(), flagID(key)) {
			if err != nil {
				t.Fatal(err)
			}
			if applied[r.OpID] == nil {
				applied[r.OpID] = map[string]string{}
			}
			applied[r.OpID][key] = described(r.Put)
		}
	}
	for op, flags := range applied {
		if len(flags) != 3 || flags["a"] != flags["b"] || flags["b"] != flags["c"] {
			t.Errorf("change %s is of no commit: %v", op, flags)
		}
	}
	if len(applied) < 10 {
		t.Errorf("%d versions were applied", len(applied))
	}
	t.Logf("%d link swaps, %d versions applied", swaps, len(applied))
}

// writeFile replaces a file as editors and mounts do.
func writeFile(t *testing.T, dir string, content []byte) {
	t.Helper()
	name := filepath.Join(dir, "flags.json")
	if err := os.WriteFile(name+"~", content, 0o600); err != nil {
		t.Error(err)
	}
	if err := os.Rename(name+"~", name); err != nil {
		t.Error(err)
	}
}

// pair is two publishers that follow the same path, each with a mount of its own.
func pair(t *testing.T) (first *house, mounts [2]string, followers [2]*following.Follower) {
	t.Helper()
	url := natstest.Start(t).URL()
	first = startPublisher(t, url, true)
	houses := [2]*house{first, startPublisher(t, url, false)}
	for i, h := range houses {
		mounts[i] = t.TempDir()
		writeFile(t, mounts[i], fileOf("version 0", "a"))
		followers[i] = h.follow("/flags", mounts[i], false)
	}
	first.await("the first version at both", func() bool {
		return first.flags()["a"] == "version 0" && followers[0].Status().State == following.Applied && followers[1].Status().State == following.Applied
	})
	return first, mounts, followers
}

// A publisher whose mount is late does not undo what another one has applied, and a revert is applied by one that has seen what is reverted.
func TestALateMountUndoesNothing(t *testing.T) {
	t.Parallel()
	h, mounts, followers := pair(t)
	writeFile(t, mounts[0], fileOf("version 1", "a"))
	h.await("the new version", func() bool { return h.flags()["a"] == "version 1" })
	h.await("the late mount is told", func() bool { return followers[1].Status().State == following.Behind })
	before := h.service().Status().Head
	time.Sleep(3 * time.Second) // in which it looks again and again
	if h.flags()["a"] != "version 1" || h.service().Status().Head != before {
		t.Errorf("the late mount was applied: %v", h.flags())
	}
	writeFile(t, mounts[0], fileOf("version 0", "a"))
	h.await("the revert", func() bool { return h.flags()["a"] == "version 0" && followers[1].Status().State == following.Applied })
	writeFile(t, mounts[1], fileOf("version 2", "a")) // now the other one is first
	h.await("the next version", func() bool { return h.flags()["a"] == "version 2" })
	h.await("the first mount is late", func() bool { return followers[0].Status().State == following.Behind })
	writeFile(t, mounts[0], fileOf("version 2", "a"))
	h.await("both are current", func() bool { return followers[0].Status().State == following.Applied })
}

// Whatever the paces of two mounts are, both publishers agree in the end, and write no more often than mounts change.
func TestTwoPublishersFollowOneSource(t *testing.T) {
	t.Parallel()
	h, mounts, followers := pair(t)
	const versions = 25
	before := h.service().Status().Head
	var wg sync.WaitGroup
	for i := range mounts {
		wg.Go(func() {
			for v := 1; v <= versions; v++ {
				if v == versions || rand.IntN(3) > 0 { // some are never seen
					writeFile(t, mounts[i], fileOf(fmt.Sprint("version ", v%7), "a", fmt.Sprint("b", v%3)))
				}
				time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
			}
		})
	}
	wg.Wait()
	h.await("the last version at both", func() bool {
		return h.flags()["a"] == fmt.Sprint("version ", versions%7) && len(h.flags()) == 2 &&
			followers[0].Status().State == following.Applied && followers[1].Status().State == following.Applied
	})
	if written := h.service().Status().Head - before; written > 2*versions*3 { // at most three documents differ
		t.Errorf("%d entries were written for %d changes of mounts", written, 2*versions)
	}
}

// A source of 10,000 flags is applied in several transactions, and so is a change of all of them; without FLAGSIDE_SOAK it has 1,500.
func TestALargeSource(t *testing.T) {
	t.Parallel()
	h, dir := startPublisher(t, "", true), t.TempDir()
	count := 1_500
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		count = 10_000
	}
	var keys []string
	for i := range count {
		keys = append(keys, fmt.Sprintf("flag-%05d", i))
	}
	for i, text := range []string{"first", "second"} {
		content, begun := fileOf(text, keys...), time.Now()
		writeFile(t, dir, content)
		if i == 0 {
			h.follow("/flags", dir, true)
		}
		h.await("all flags", func() bool { // the last one first, because to look at all of them takes longer than to apply some
			return h.describes(keys[count-1], text) && h.describes(keys[0], text) && len(h.flags()) == count
		})
		t.Logf("%s: %d flags, %d KiB, after %v", text, count, len(content)>>10, time.Since(begun).Round(time.Millisecond))
	}
}

// A mounted ConfigMap is followed when its link moves, with the name that the kubelet gives to its versions; and files of editors beside it are not read.
func TestAMountedConfigMapIsFollowed(t *testing.T) {
	t.Parallel()
	h, dir := startPublisher(t, "", true), t.TempDir()
	update := func(version, text string) {
		t.Helper()
		for _, err := range []error{
			os.Mkdir(filepath.Join(dir, version), 0o700),
			os.WriteFile(filepath.Join(dir, version, "flags.json"), fileOf(text, "a"), 0o600),
			os.Symlink(version, filepath.Join(dir, "..data_tmp")),
			os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	update("..2026_11_29_12_00_00.0001", "first")
	if err := os.Symlink(filepath.Join("..data", "flags.json"), filepath.Join(dir, "flags.json")); err != nil {
		t.Fatal(err)
	}
	f := h.follow("/flags", dir, true)
	h.await("the first version", func() bool { return h.describes("a", "first") })
	for _, name := range []string{".flags.json.swp", ".#flags.json", "flags.json~", "4913"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("no flags"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	update("..2026_11_29_12_01_00.0002", "second")
	h.await("the second version by its name", func() bool {
		return h.describes("a", "second") && f.Status().State == following.Applied && f.Status().Version == "2026_11_29_12_01_00.0002"
	})
}

// A segment that is a list carries no owner. Of two sources that say different things of one, the first has it, and the other says so: they do not
// put it by turns. Once a person has put it, it is free again.
func TestTwoSourcesDoNotFight(t *testing.T) {
	t.Parallel()
	h, first, second := startPublisher(t, "", true), t.TempDir(), t.TempDir()
	file := func(person string) []byte {
		return fmt.Appendf(nil, `{"$evaluators":{"staff":[%q]},"flags":{}}`, person)
	}
	id := document.ID{Kind: document.KindSegment, Key: "staff"}
	says := func(person string) bool {
		state, err := h.service().Known()
		if err != nil {
			return false
		}
		d, _ := state.Document(id)
		return string(d.Body) == fmt.Sprintf("[%q]", person)
	}
	writeFile(t, first, file("ann"))
	writeFile(t, second, file("bob"))
	f := h.follow("/first", first, true)
	h.await("the first source", func() bool { return says("ann") && f.Status().State == following.Applied })
	g := h.follow("/second", second, true)
	h.await("the conflict", func() bool { return g.Status().State == following.Conflict })
	if text := g.Status().Detail; !strings.Contains(text, "/first") || !strings.Contains(text, "staff") {
		t.Errorf("it says %s", text)
	}
	writeFile(t, first, file("carl"))
	h.await("the first source again", func() bool { return says("carl") && f.Status().State == following.Applied })
	before := h.service().Status().Head
	time.Sleep(3 * time.Second) // in which both look again
	if after := h.service().Status().Head; after != before || !says("carl") {
		t.Errorf("%d entries were written", after-before)
	}
	writeFile(t, first, []byte(`{"flags":{}}`))
	h.await("the first source says nothing of it", func() bool { return f.Status().State == following.Applied && f.Status().Owned == 0 })
	state, err := h.service().Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	live, _ := state.Document(id)
	remove := decide.Delete{ID: id, If: decide.Precondition{Match: decide.Token(state, live)}}
	if _, err := h.service().Do(t.Context(), decide.Origin{Actor: "owner", Owner: true}, remove); err != nil {
		t.Fatal(err)
	}
	h.await("the second source", func() bool { return says("bob") && g.Status().State == following.Applied })
}
