package flagsync_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// publication is a published snapshot of one chunk.
type publication struct {
	position changelog.Position
	count    int
	bytes    int
	hash     changelog.Digest
	chunk    []byte // as it is stored, nil when it is lost
	sound    bool   // it is what was written
}

// publish publishes the state that the log adds up to, unless that is done. A
// publisher has none while it is not complete.
func (w *world) publish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.writable() || len(w.snapshots) > 0 && w.snapshots[0].position == w.newest() {
		return
	}
	header := changelog.Header{Environment: environment, Position: w.newest(), StateDigest: w.sum(), Count: len(w.documents)}
	var data bytes.Buffer
	s, err := changelog.NewSnapshotWriter(&data, header)
	if err != nil {
		w.tb.Fatal(err)
	}
	for d := range maps.Values(w.documents) {
		if err := s.Write(d); err != nil {
			w.tb.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		w.tb.Fatal(err)
	}
	p := &publication{
		position: header.Position, count: header.Count, bytes: data.Len(), hash: changelog.Sum(data.Bytes()), chunk: data.Bytes(), sound: true,
	}
	w.snapshots = append([]*publication{p}, w.snapshots[:min(len(w.snapshots), 1)]...)
	w.unreadable = false
}

// spoil damages what is published.
func (w *world) spoil() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.snapshots) == 0 {
		return
	}
	p := w.snapshots[w.random.IntN(len(w.snapshots))]
	if len(p.chunk) == 0 {
		return
	}
	switch w.random.IntN(4) {
	case 0:
		p.chunk, p.sound = nil, false
	case 1:
		p.chunk, p.sound = p.chunk[:w.random.IntN(len(p.chunk))], false
	case 2:
		p.chunk, p.sound = bytes.Clone(p.chunk), false
		p.chunk[w.random.IntN(len(p.chunk))] ^= 1
	case 3:
		w.unreadable = true
	}
}

// usable returns the newest snapshot that may be loaded: of an epoch, above a
// revision, and of the log as it is.
func (w *world) usable(epoch changelog.Epoch, above uint64) (changelog.Position, bool) {
	for _, p := range w.snapshots {
		at := int(p.position.Revision)
		if !w.unreadable && p.sound && p.position.Epoch == epoch && p.position.Revision > above &&
			w.has(at) && w.records[at-1].Position() == p.position {
			return p.position, true
		}
	}
	return changelog.Position{}, false
}

// snapshot answers from some replica, which may be behind.
func (w *world) snapshot(r request, after time.Duration, subject string) {
	w.mu.Lock()
	var data []byte
	if !w.chance(w.faults.stale) {
		data = w.stored(subject)
	}
	w.mu.Unlock()
	time.Sleep(after)
	if data == nil {
		r.session.send(r.reply, " 404 Message Not Found", nil)
		return
	}
	r.session.send(r.reply, "", data)
}

func (w *world) stored(subject string) []byte {
	if subject == "snap.prod.manifest" {
		return w.manifest()
	}
	for _, p := range w.snapshots {
		if strings.Contains(subject, p.hash.String()) {
			return p.chunk
		}
	}
	return nil
}

func (w *world) manifest() []byte {
	switch {
	case len(w.snapshots) == 0:
		return nil
	case w.unreadable:
		return []byte(`{"v":2}`)
	}
	var all []any
	for _, p := range w.snapshots {
		all = append(all, map[string]any{
			"epoch": p.position.Epoch, "revision": p.position.Revision, "digest": p.position.Digest,
			"count": p.count, "bytes": p.bytes, "chunks": 1, "hash": p.hash, "logBytes": 0,
		})
	}
	data, err := json.Marshal(map[string]any{"v": 1, "snapshots": all})
	if err != nil {
		w.tb.Error(fmt.Errorf("manifest: %w", err))
	}
	return data
}
