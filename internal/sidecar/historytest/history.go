package changes_test

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/sync/changelog"
)

// history writes a log into a store.
type history struct {
	t     testing.TB
	store *cache.Store
	at    changelog.Position
}

// newHistory returns the history of a new store, which shows its state, without flags.
func newHistory(t testing.TB) *history {
	t.Helper()
	h := openHistory(t)
	h.begin()
	h.store.Synced()
	return h
}

// openHistory returns a history of a new store that shows nothing.
func openHistory(t testing.TB) *history {
	t.Helper()
	store, err := cache.New(cache.Options{Environment: "prod", Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &history{t: t, store: store, at: changelog.Position{Epoch: changelog.NewEpoch()}}
}

func (h *history) begin() {
	h.t.Helper()
	h.apply(h.record(changelog.Entry{Kind: changelog.KindEpoch, Key: changelog.EpochKey, Index: 1, Count: 1, OpID: "begin"}))
}

// commit applies one transaction. Documents without a body are deleted.
func (h *history) commit(documents ...changelog.Document) {
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

func (h *history) record(e changelog.Entry) changelog.Record {
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

func (h *history) apply(tx ...changelog.Record) {
	h.t.Helper()
	if err := h.store.Apply([]changelog.Transaction{tx}); err != nil {
		h.t.Fatal(err)
	}
}

// replace loads the snapshot of another history, of a new epoch.
func (h *history) replace(documents ...changelog.Document) {
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
	if err := h.store.Load(r); err != nil {
		h.t.Fatal(err)
	}
	h.at = header.Position
}

func flag(key string, n int, members ...string) changelog.Document {
	body := fmt.Sprintf(`{"state":"ENABLED","variants":{"a":%d,"b":0},"defaultVariant":"a"`, n)
	for _, m := range members {
		body += "," + m
	}
	return changelog.Document{Kind: changelog.KindFlag, Key: key, Body: []byte(body + "}")}
}

func deleted(key string) changelog.Document {
	return changelog.Document{Kind: changelog.KindFlag, Key: key}
}
