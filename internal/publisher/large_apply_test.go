package publisher_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/sync/changelog"
)

// What flagside apply asks of a publisher grows with the transactions that it writes and the pages that it reads, of 1,000 documents each, and with
// nothing else; and the log grows by the documents that differ.
func TestALargeApplyAsksForWholeTransactions(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), FixedTokens: roles()})
	requests := countRequests(t, r)
	var few, many map[string]int64
	for _, flags := range []int{changelog.MaxEntries, 4 * changelog.MaxEntries} {
		environment := fmt.Sprintf("with-%d", flags)
		r.create(environment)
		counted := make(map[string]int64)
		for _, step := range []struct {
			name, says  string
			description string
			entries     uint64
		}{
			{"new", fmt.Sprintf("%d added", flags), "", uint64(flags)},
			{"the same", "nothing to do", "", 0},
			{"one changed", "1 changed", "This one has changed.", 1},
		} {
			before, head := requests.Load(), revision(t, r, environment)
			code, output := r.command("root", "apply", "--file", flagFiles(t, flags, step.description), "--environment", environment, "--source", "s")
			if code != 0 || !strings.Contains(output, step.says) {
				t.Fatalf("%d flags, %s: exit code %d\n%.2000s", flags, step.name, code, output)
			}
			counted[step.name] = requests.Load() - before
			if got := revision(t, r, environment) - head; got != step.entries {
				t.Errorf("%d flags, %s: the log has %d entries more, want %d", flags, step.name, got, step.entries)
			}
		}
		few, many = many, counted
	}
	for name, more := range map[string]int64{"new": 3, "the same": 3, "one changed": 3} {
		if got := many[name] - few[name]; got != more {
			t.Errorf("%s: %d requests for 1,000 flags and %d for 4,000: want %d more", name, few[name], many[name], more)
		}
	}
}

// countRequests lets commands ask the publisher through a proxy that counts.
func countRequests(t *testing.T, r *running) *atomic.Int64 {
	t.Helper()
	target, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(target)
	counting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		n.Add(1)
		proxy.ServeHTTP(w, q)
	}))
	t.Cleanup(counting.Close)
	r.url = counting.URL
	return &n
}

func revision(t *testing.T, r *running, environment string) uint64 {
	t.Helper()
	e, err := r.client.Environment(t.Context(), environment)
	if err != nil {
		t.Fatal(err)
	}
	token, err := changelog.ParseToken(e.Revision)
	if err != nil {
		t.Fatal(err)
	}
	return token.Revision
}

// flagFiles writes files with flags, of which most require the one before, and returns their directory. The first has a description, unless
// it is empty.
func flagFiles(t *testing.T, flags int, description string) string {
	t.Helper()
	const inFile = 500
	dir := t.TempDir()
	for begin := 0; begin < flags; begin += inFile {
		file := make(map[string]map[string]any)
		for i := begin; i < begin+inFile; i++ {
			flag := map[string]any{"state": "ENABLED", "variants": map[string]bool{"on": true, "off": false}, "defaultVariant": "off"}
			if i%10 > 0 {
				flag["prerequisites"] = []map[string]any{{"flag": fmt.Sprintf("f%05d", i-1), "variants": []string{"on"}}}
			} else if i == 0 && description != "" {
				flag["description"] = description
			}
			file[fmt.Sprintf("f%05d", i)] = flag
		}
		text, err := json.Marshal(map[string]any{"flags": file})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.json", begin)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
