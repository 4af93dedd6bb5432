// Package historytest writes the log of an environment straight into a store, for tests of what follows the store's views.
package historytest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// History writes a log into a store.
type History struct {
	// Store shows the state of the log.
	Store *cache.Store

	t         testing.TB
	at        changelog.Position
	documents map[document.ID]document.Document
}

const environment = "prod"

// keyring returns one that knows who signs here.
func keyring() *changelog.Keyring { return trusttest.Default().PublisherKeyring() }

// state returns the digest of the documents.
func (h *History) state() changelog.Digest {
	state := changelog.State{}.Edit()
	for _, d := range h.documents {
		state.Add(d)
	}
	return state.State().Digest()
}

// New returns the history of a new store, which shows its state, without flags.
func New(t testing.TB) *History {
	t.Helper()
	h := Open(t)
	h.Begin()
	h.Store.Synced()
	return h
}

// Open returns a history of a new store that shows nothing.
func Open(t testing.TB) *History {
	t.Helper()
	store, err := cache.New(cache.Options{Environment: environment, Keyring: keyring(), Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &History{t: t, Store: store, at: changelog.Position{Epoch: changelog.NewEpoch(time.Now(), "")}, documents: make(map[document.ID]document.Document)}
}

// Begin applies the entry that every log begins with.
func (h *History) Begin() {
	h.t.Helper()
	h.apply(h.record(changelog.Entry{Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 1, OpID: "begin"}))
}

// Commit applies one transaction. Documents without a body are deleted.
func (h *History) Commit(documents ...document.Document) {
	h.t.Helper()
	op := "op-" + strconv.FormatUint(h.at.Revision+1, 10)
	var tx changelog.Transaction
	for i, d := range documents {
		tx = append(tx, h.record(changelog.Entry{
			Kind: d.Kind, Key: d.Key, Index: i + 1, Count: len(documents), OpID: op, Put: d.Body, Delete: d.Body == nil,
		}))
	}
	h.apply(tx...)
}

func (h *History) record(e changelog.Entry) changelog.Record {
	h.t.Helper()
	e.Environment, e.Revision, e.Epoch, e.Prev, e.Time = environment, h.at.Revision+1, h.at.Epoch, h.at.Link(), time.Unix(0, 0)
	switch {
	case e.Delete:
		delete(h.documents, e.ID())
	case e.Put != nil:
		h.documents[e.ID()] = document.Document{Kind: e.Kind, Key: e.Key, Revision: e.Revision, Body: e.Put}
	}
	if e.Index == e.Count {
		e.State = h.state()
	}
	data, err := e.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := changelog.DecodeRecord(e.Revision, data)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Signature = sign(h.t, r.Head()).Signature
	h.at = r.Position()
	return r
}

func sign(t testing.TB, head changelog.Head) changelog.Head {
	t.Helper()
	signed, err := trusttest.Default().Signer().SignHead(environment, head)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (h *History) apply(tx ...changelog.Record) {
	h.t.Helper()
	if err := h.Store.Apply([]changelog.Transaction{tx}); err != nil {
		h.t.Fatal(err)
	}
}

// Replace loads the snapshot of another history, of a new epoch.
func (h *History) Replace(documents ...document.Document) {
	h.t.Helper()
	h.documents = make(map[document.ID]document.Document)
	for i := range documents {
		documents[i].Revision = uint64(i + 1)
		h.documents[documents[i].ID()] = documents[i]
	}
	position := changelog.Position{Epoch: changelog.NewEpoch(time.Now(), h.at.Epoch), Revision: 100, Digest: changelog.Sum([]byte("x"))}
	header := changelog.Header{
		Environment: environment, Count: len(documents), Head: sign(h.t, changelog.Head{Position: position, State: h.state()}),
	}
	var b bytes.Buffer
	w, err := changelog.NewSnapshotWriter(&b, header)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, d := range documents {
		if err := w.Write(d); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		h.t.Fatal(err)
	}
	r, err := changelog.NewSnapshotReader(&b, keyring())
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Close()
	if err := h.Store.Load(r); err != nil {
		h.t.Fatal(err)
	}
	h.at = header.Head.Position
}

// Flag returns a flag with the variants a, which is n and the default, and b, which is 0, and with more members.
func Flag(key string, n int, members ...string) document.Document {
	all := append([]string{`"state":"ENABLED"`, fmt.Sprintf(`"variants":{"a":%d,"b":0}`, n), `"defaultVariant":"a"`}, members...)
	return document.Document{Kind: document.KindFlag, Key: key, Body: []byte("{" + strings.Join(all, ",") + "}")}
}

// Deleted returns the deletion of a flag.
func Deleted(key string) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key}
}
