package cache

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/sync/changelog"
)

// history is a log in memory and, beside it, the naive model of what it adds up to.
type history struct {
	environment string
	position    changelog.Position
	documents   map[changelog.ID]changelog.Document
	good        map[changelog.ID]changelog.Document // the last versions that compile
}

// newHistory returns a history and the transaction that begins it.
func newHistory(tb testing.TB) (*history, changelog.Transaction) {
	tb.Helper()
	h := &history{
		environment: "prod",
		documents:   make(map[changelog.ID]changelog.Document),
		good:        make(map[changelog.ID]changelog.Document),
	}
	h.position.Epoch = changelog.NewEpoch()
	begin := changelog.Entry{Kind: changelog.KindEpoch, Key: changelog.EpochKey, Index: 1, Count: 1, OpID: "begin"}
	return h, changelog.Transaction{h.append(tb, begin)}
}

// commit adds a transaction that puts documents, or deletes those without a body.
func (h *history) commit(tb testing.TB, documents ...changelog.Document) changelog.Transaction {
	tb.Helper()
	op := "op-" + strconv.FormatUint(h.position.Revision+1, 10)
	var tx changelog.Transaction
	for i, d := range documents {
		r := h.append(tb, changelog.Entry{
			Kind: d.Kind, Key: d.Key, Index: i + 1, Count: len(documents), OpID: op,
			Put: d.Body, Delete: d.Body == nil,
		})
		tx = append(tx, r)
		switch {
		case d.Body == nil:
			delete(h.documents, d.ID())
			delete(h.good, d.ID())
		case bytes.Equal(d.Body, broken(d.Key).Body):
			h.documents[d.ID()] = r.Document()
		default:
			h.documents[d.ID()] = r.Document()
			h.good[d.ID()] = r.Document()
		}
	}
	return tx
}

func (h *history) append(tb testing.TB, e changelog.Entry) changelog.Record {
	tb.Helper()
	e.Epoch, e.Prev, e.Time = h.position.Epoch, h.position.Digest, time.Unix(0, 0)
	data, err := e.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	r, err := changelog.DecodeRecord(h.position.Revision+1, data)
	if err != nil {
		tb.Fatal(err)
	}
	h.position = r.Position()
	return r
}

func (h *history) digest() changelog.Digest {
	var d changelog.Digest
	for _, doc := range h.documents {
		d = d.Toggle(doc)
	}
	return d
}

// snapshot returns the state as a snapshot.
func (h *history) snapshot(tb testing.TB) []byte {
	tb.Helper()
	var b bytes.Buffer
	header := changelog.Header{Environment: h.environment, Position: h.position, StateDigest: h.digest(), Count: len(h.documents)}
	if err := writeSnapshot(&b, header, maps.Values(h.documents)); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// fork returns a copy that goes its own way.
func (h *history) fork() *history {
	other := *h
	other.documents, other.good = maps.Clone(h.documents), maps.Clone(h.good)
	return &other
}

// flag returns a flag whose only variant is a number.
func flag(key string, value int) changelog.Document {
	body := fmt.Sprintf(`{"state":"ENABLED","variants":{"v":%d},"defaultVariant":"v"}`, value)
	return changelog.Document{Kind: changelog.KindFlag, Key: key, Body: []byte(body)}
}

// broken returns a flag that no version of the evaluation can compile.
func broken(key string) changelog.Document {
	body := `{"state":"ENABLED","variants":{"v":1},"defaultVariant":"missing"}`
	return changelog.Document{Kind: changelog.KindFlag, Key: key, Body: []byte(body)}
}

func deleted(key string) changelog.Document {
	return changelog.Document{Kind: changelog.KindFlag, Key: key}
}

func openStore(tb testing.TB, dir string) *Store {
	tb.Helper()
	s, err := New(Options{Environment: "prod", Dir: dir, Logger: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// restart ends a Store as kill -9 would, without a last snapshot, and returns
// the next one, restored.
func restart(tb testing.TB, s *Store) *Store {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return restoreStore(tb, s.disk.dir)
}

func restoreStore(tb testing.TB, dir string) *Store {
	tb.Helper()
	s := openStore(tb, dir)
	if _, err := s.Restore(); err != nil {
		tb.Fatal(err)
	}
	return s
}

// liveStore returns a Store that has applied the begin of a history and has
// written its first snapshot.
func liveStore(tb testing.TB, dir string) (*Store, *history) {
	tb.Helper()
	s := openStore(tb, dir)
	h, begin := newHistory(tb)
	apply(tb, s, begin)
	s.Synced()
	s.rewrite()
	return s, h
}

func apply(tb testing.TB, s *Store, txs ...changelog.Transaction) {
	tb.Helper()
	if err := s.Apply(txs); err != nil {
		tb.Fatal(err)
	}
}

// checkView compares the View with the naive model.
func checkView(tb testing.TB, v *View, h *history) {
	tb.Helper()
	if v == nil {
		tb.Fatal("there is no View")
	}
	got := make(map[changelog.ID]changelog.Document)
	for d := range v.Documents() {
		got[d.ID()] = d
	}
	if diff := cmp.Diff(h.documents, got); diff != "" {
		tb.Fatalf("documents (-want +got):\n%s", diff)
	}
	want := changelog.Header{Environment: h.environment, Position: h.position, StateDigest: h.digest(), Count: len(h.documents)}
	if diff := cmp.Diff(want, v.Header()); diff != "" {
		tb.Fatalf("header (-want +got):\n%s", diff)
	}
	for id, d := range h.documents {
		if found, ok := v.Document(id); !ok || !bytes.Equal(found.Body, d.Body) {
			tb.Fatalf("document %s: %q, %v", id, found.Body, ok)
		}
	}
}

// checkRules compares the flags of the View with the model: each is served in
// its last version that compiles.
func checkRules(tb testing.TB, v *View, h *history) {
	tb.Helper()
	got := make(map[string]string)
	for _, f := range v.Rules().Flags() {
		body := f.Document()
		if bytes.Equal(body, broken(f.Key()).Body) {
			continue // it never compiled, so it answers an error
		}
		got[f.Key()] = fmt.Sprintf("%d %s", f.Revision(), body)
	}
	want := make(map[string]string)
	for _, d := range h.good {
		want[d.Key] = fmt.Sprintf("%d %s", d.Revision, d.Body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Fatalf("rules (-want +got):\n%s", diff)
	}
}

// copyDir returns a copy of a directory with the files as they are now.
func copyDir(tb testing.TB, dir string) string {
	tb.Helper()
	target := tb.TempDir()
	if err := os.CopyFS(target, os.DirFS(dir)); err != nil {
		tb.Fatal(err)
	}
	return target
}

func readFile(tb testing.TB, dir, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func writeFile(tb testing.TB, dir, name string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func codes(conditions []Condition) []Code {
	var found []Code
	for _, c := range conditions {
		found = append(found, c.Code)
	}
	return found
}
