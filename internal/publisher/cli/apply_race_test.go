package cli_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// acknowledged are the changes that someone was told are made: for each flag, how often one from a revision was. No revision is a flag that did not exist.
type acknowledged struct {
	mu    sync.Mutex
	bases map[string]map[string]int
}

func (a *acknowledged) add(key, base string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bases[key] == nil {
		a.bases[key] = make(map[string]int)
	}
	a.bases[key][base]++
}

// Two runs of apply that want other things of the same flags, and a person who changes them meanwhile: what each was told is made is in
// the history once, on what it was planned from.
func TestAppliersAndAPersonRace(t *testing.T) {
	t.Parallel()
	rounds := 50
	if os.Getenv("FLAGSIDE_SOAK") == "1" {
		rounds = 500
	}
	a := applier{t, serve(t)}
	a.as("admin", 0, "environment create team")
	keys := []string{"x", "y", "z"}
	acks := &acknowledged{bases: make(map[string]map[string]int)}
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { a.applyOften(rounds, i, keys, acks) })
	}
	wg.Go(func() { a.changeOften(rounds, keys, acks) })
	wg.Wait()

	c, err := client.New(client.Options{Address: a.address, Token: secretOf("viewer")})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, key := range keys {
		history := wholeHistory(t, c, key)
		var acked int
		for base, n := range acks.bases[key] {
			if acked += n; n != 1 {
				t.Errorf("%d changes of %s were made from revision %q: one undid the other unseen", n, key, base)
			}
		}
		if acked != len(history) {
			t.Errorf("%s has %d changes, and %d were acknowledged", key, len(history), acked)
		}
		for i, change := range history {
			base := ""
			if i+1 < len(history) {
				base = history[i+1].Revision
			}
			if acks.bases[key][base] != 1 {
				t.Errorf("%s at %s was made from %q, which no one was told", key, change.Revision, base)
			}
		}
		total += len(history)
	}
	t.Logf("%d rounds, %d changes", rounds, total)
}

// wholeHistory returns the changes of a flag, the newest first.
func wholeHistory(t *testing.T, c *client.Client, key string) (all []api.DocumentChange) {
	t.Helper()
	for q := (api.HistoryQuery{Limit: 1000}); ; {
		part, err := c.History(t.Context(), "team", document.ID{Kind: document.KindFlag, Key: key}, q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part.Items...)
		if q.Before = part.Next; q.Before == "" {
			return all
		}
	}
}

// apply applies files, and does as people are told when the publisher cannot do it at the moment: it runs the same again.
func (a applier) apply(dir string) (code int, output string) {
	for range 10 {
		if code, output = run(a.t.Context(), a.address, "editor", "", strings.Fields("apply -f "+dir+" -e team --source shop -o json")...); code != 8 {
			break
		}
	}
	return code, output
}

// applyOften applies files with other contents each time.
func (a applier) applyOften(rounds, who int, keys []string, acks *acknowledged) {
	dir := a.t.TempDir()
	for round := range rounds {
		var flags []string
		for _, key := range keys {
			flags = append(flags, fmt.Sprintf(`%q:%s,"owner":"%d"}`, key, banner, who*1000+round))
		}
		if err := os.WriteFile(filepath.Join(dir, "f.json"), []byte(`{"flags":{`+strings.Join(flags, ",")+`}}`), 0o600); err != nil {
			a.t.Error(err)
			return
		}
		code, output := a.apply(dir)
		if code == 4 {
			continue // others were faster each time, and nothing was written
		}
		var done struct {
			Result  string
			Changes []struct{ Key, Base string }
		}
		if err := json.Unmarshal([]byte(output), &done); err != nil || code != 0 {
			a.t.Errorf("exit code %d, %v: %s", code, err, output)
			return
		}
		for _, c := range done.Changes {
			acks.add(c.Key, c.Base)
		}
	}
}

// changeOften changes one flag after the other, as it was read.
func (a applier) changeOften(rounds int, keys []string, acks *acknowledged) {
	c, err := client.New(client.Options{Address: a.address, Token: secretOf("editor")})
	if err != nil {
		a.t.Error(err)
		return
	}
	for round := range rounds {
		id := document.ID{Kind: document.KindFlag, Key: keys[rand.IntN(len(keys))]} // #nosec G404 -- a test
		_, seen, err := c.Document(a.t.Context(), "team", id)
		if err != nil {
			continue // not applied yet
		}
		_, err = c.Patch(a.t.Context(), "team", id, fmt.Appendf(nil, `{"description":"%d"}`, round), seen, api.ChangeHeaders{})
		switch {
		case err == nil:
			acks.add(id.Key, seen.Revision())
		case !client.IsProblem(err, api.ProblemPreconditionFailed):
			a.t.Error(err)
		}
	}
}
