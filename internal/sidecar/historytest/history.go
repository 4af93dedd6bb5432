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
	"github.com/flagside/flagside/sync/changelog"
)

// History writes a log into a store.
type History struct {
	// Store shows the state of the log.
	Store *cache.Store

	t  testing.TB
	at changelog.Position
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
	store, err := cache.New(cache.Options{Environment: "prod", Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &History{t: t, Store: store, at: changelog.Position{Epoch: changelog.NewEpoch()}}
}

// Begin applies the entry that every log begins with.
func (h *History) Begin() {
	h.t.Helper()
	h.apply(h.record(changelog.Entry{Kind: changelog.KindEpoch, Key: changelog.EpochKey, Index: 1, Count: 1, OpID: "begin"}))
}

// Commit applies one transaction. Documents without a body are deleted.
func (h *History) Commit(documents ...changelog.Document) {
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
	e.Epoch, e.Prev, e.Time = h.at.Epoch, h.at.Digest, time.Unix(0, 0)
	data, err := e.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := changelog.DecodeRecord(h.at.Revision+1, data)
	if err != nil {
		h.t.Fatal(err)
	}
	h.at = r.Position()
	return r
}

func (h *History) apply(tx ...changelog.Record) {
	h.t.Helper()
	if err := h.Store.Apply([]changelog.Transaction{tx}); err != nil {
		h.t.Fatal(err)
	}
}

// Replace loads the snapshot of another history, of a new epoch.
func (h *History) Replace(documents ...changelog.Document) {
	h.t.Helper()
	header := changelog.Header{Environment: "prod", Count: len(documents)}
	header.Position = changelog.Position{Epoch: changelog.NewEpoch(), Revision: 100, Digest: changelog.Sum([]byte("x"))}
	for i := range documents {
		documents[i].Revision = uint64(i + 1)
		header.StateDigest = header.StateDigest.Toggle(documents[i])
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
	r, err := changelog.NewSnapshotReader(&b)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Close()
	if err := h.Store.Load(r); err != nil {
		h.t.Fatal(err)
	}
	h.at = header.Position
}

// Flag returns a flag with the variants a, which is n and the default, and b, which is 0, and with more members.
func Flag(key string, n int, members ...string) changelog.Document {
	all := append([]string{`"state":"ENABLED"`, fmt.Sprintf(`"variants":{"a":%d,"b":0}`, n), `"defaultVariant":"a"`}, members...)
	return changelog.Document{Kind: changelog.KindFlag, Key: key, Body: []byte("{" + strings.Join(all, ",") + "}")}
}

// Deleted returns the deletion of a flag.
func Deleted(key string) changelog.Document {
	return changelog.Document{Kind: changelog.KindFlag, Key: key}
}
