package cache

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// history is a log in memory and, beside it, the naive model of what it adds up to.
type history struct {
	environment string
	keys        trusttest.Keys
	head        changelog.Head
	state       changelog.State
	documents   map[document.ID]document.Document
	good        map[document.ID]document.Document // the last versions of flags that compile
}

// newHistory returns a history and the transaction that begins it, which holds the keys note.
func newHistory(tb testing.TB) (*history, changelog.Transaction) {
	tb.Helper()
	return newHistoryOf(tb, "prod", trusttest.Default())
}

func newHistoryOf(tb testing.TB, environment string, keys trusttest.Keys) (*history, changelog.Transaction) {
	tb.Helper()
	h := &history{
		environment: environment,
		keys:        keys,
		documents:   make(map[document.ID]document.Document),
		good:        make(map[document.ID]document.Document),
	}
	h.head.Epoch = changelog.NewEpoch(time.Now(), "")
	begin := changelog.Entry{Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 2, OpID: "begin"}
	first := h.append(tb, begin)
	doc := keysDocument(tb, keys.Note)
	h.put(doc)
	keysEntry := changelog.Entry{Kind: doc.Kind, Key: doc.Key, Put: doc.Body, Index: 2, Count: 2, OpID: "begin", State: h.state.Digest()}
	return h, changelog.Transaction{first, h.append(tb, keysEntry)}
}

func keysDocument(tb testing.TB, n changelog.KeysNote) document.Document {
	tb.Helper()
	doc, err := changelog.KeysDocument(n)
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

// commit adds a transaction that puts documents, or deletes those without a body.
func (h *history) commit(tb testing.TB, documents ...document.Document) changelog.Transaction {
	tb.Helper()
	op := "op-" + strconv.FormatUint(h.head.Revision+1, 10)
	var tx changelog.Transaction
	for i, d := range documents {
		h.put(d)
		e := changelog.Entry{
			Kind: d.Kind, Key: d.Key, Index: i + 1, Count: len(documents), OpID: op,
			Put: d.Body, Delete: d.Body == nil,
		}
		if e.Index == e.Count {
			e.State = h.state.Digest()
		}
		tx = append(tx, h.append(tb, e))
	}
	return tx
}

// put changes the model by a document that the next entry holds.
func (h *history) put(d document.Document) {
	d.Revision = h.head.Revision + 1
	edit := h.state.Edit()
	if before, existed := h.documents[d.ID()]; existed {
		edit.Remove(before)
	}
	switch {
	case d.Body == nil:
		delete(h.documents, d.ID())
		delete(h.good, d.ID())
	case d.Kind != document.KindFlag || bytes.Equal(d.Body, broken(d.Key).Body):
		edit.Add(d)
		h.documents[d.ID()] = d
	default:
		edit.Add(d)
		h.documents[d.ID()] = d
		h.good[d.ID()] = d
	}
	h.state = edit.State()
}

// append adds a signed entry.
func (h *history) append(tb testing.TB, e changelog.Entry) changelog.Record {
	tb.Helper()
	e.Environment, e.Epoch, e.Revision = h.environment, h.head.Epoch, h.head.Revision+1
	e.Prev, e.Time = h.head.Link(), time.Unix(0, 0)
	data, err := e.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	r, err := changelog.DecodeRecord(e.Revision, data)
	if err != nil {
		tb.Fatal(err)
	}
	h.head = sign(tb, h.keys.Signer(), h.environment, r.Head())
	r.Signature = h.head.Signature
	return r
}

func sign(tb testing.TB, s *changelog.Signer, environment string, head changelog.Head) changelog.Head {
	tb.Helper()
	signed, err := s.SignHead(environment, head)
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

// header returns the header of a snapshot of the state.
func (h *history) header() changelog.Header {
	return changelog.Header{Environment: h.environment, Head: h.head, Count: len(h.documents), Keys: h.keys.Note.Text}
}

// snapshot returns the state as a snapshot.
func (h *history) snapshot(tb testing.TB) []byte {
	tb.Helper()
	return encodeSnapshot(tb, h.header(), maps.Values(h.documents))
}

func encodeSnapshot(tb testing.TB, header changelog.Header, documents iter.Seq[document.Document]) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := writeSnapshot(&b, header, documents); err != nil {
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
func flag(key string, value int) document.Document {
	body := fmt.Sprintf(`{"state":"ENABLED","variants":{"v":%d},"defaultVariant":"v"}`, value)
	return document.Document{Kind: document.KindFlag, Key: key, Body: []byte(body)}
}

// broken returns a flag that no version of the evaluation can compile.
func broken(key string) document.Document {
	body := `{"state":"ENABLED","variants":{"v":1},"defaultVariant":"missing"}`
	return document.Document{Kind: document.KindFlag, Key: key, Body: []byte(body)}
}

func deleted(key string) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key}
}

func openStore(tb testing.TB, dir string) *Store {
	tb.Helper()
	s, err := New(Options{Environment: "prod", Dir: dir, Keyring: trusttest.Default().Keyring(), Logger: zerolog.Nop()})
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
	got := make(map[document.ID]document.Document)
	for d := range v.Documents() {
		got[d.ID()] = d
	}
	if diff := cmp.Diff(h.documents, got); diff != "" {
		tb.Fatalf("documents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(h.header(), v.Header()); diff != "" {
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
