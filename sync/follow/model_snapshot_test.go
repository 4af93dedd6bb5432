package follow_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/changelog"
)

// publication is a published snapshot of one chunk.
type publication struct {
	position changelog.Position
	state    changelog.Digest
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
	newest := w.messages[w.newest().Revision-1].record.Head()
	header := changelog.Header{Environment: environment, Head: newest, Count: len(w.documents), Keys: w.keys.note.Text}
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
		position: newest.Position, state: newest.State, count: header.Count, bytes: data.Len(), hash: changelog.Sum(data.Bytes()), chunk: data.Bytes(), sound: true,
	}
	w.snapshots = append([]*publication{p}, w.snapshots[:min(len(w.snapshots), 1)]...)
	w.forged = nil
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
		w.forged = &message{data: []byte(`{"v":3}`)}
	}
}

// usable returns the newest snapshot that may be loaded: of an epoch, above a
// revision, and of the log as it is.
func (w *world) usable(epoch changelog.Epoch, above uint64) (changelog.Position, bool) {
	return w.published(func(p changelog.Position) bool { return p.Epoch == epoch && p.Revision > above })
}

// published returns the newest snapshot that is wanted and of the log as it is.
func (w *world) published(wanted func(changelog.Position) bool) (changelog.Position, bool) {
	for _, p := range w.snapshots {
		at := int(p.position.Revision)
		if w.forged == nil && p.sound && wanted(p.position) && w.has(at) &&
			w.messages[at-1].record != nil && w.messages[at-1].record.Position() == p.position {
			return p.position, true
		}
	}
	return changelog.Position{}, false
}

// snapshot answers from some replica, which may be behind.
func (w *world) snapshot(r request, after time.Duration, subject string) {
	w.mu.Lock()
	var found *message
	if !w.chance(w.faults.stale) {
		found = w.stands(subject)
	}
	w.mu.Unlock()
	time.Sleep(after)
	if found == nil {
		r.session.send(r.reply, " 404 Message Not Found", nil)
		return
	}
	r.session.send(r.reply, found.header+"\r\nNats-Stream: SNAP_prod\r\nNats-Subject: "+subject+"\r\nNats-Sequence: 1", found.data)
}

// stands returns what stands under a subject, nil if nothing does.
func (w *world) stands(subject string) *message {
	if subject == "snap.prod.manifest" {
		return w.manifest()
	}
	for _, p := range w.snapshots {
		if strings.Contains(subject, p.hash.String()) && p.chunk != nil {
			return &message{data: p.chunk}
		}
	}
	return nil
}

func (w *world) manifest() *message {
	switch {
	case w.forged != nil:
		return w.forged
	case len(w.snapshots) == 0:
		return nil
	}
	return new(w.signManifest(w.keys.signer, environment, w.snapshots))
}

// signManifest returns a manifest that names snapshots.
func (w *world) signManifest(s *changelog.Signer, of string, snapshots []*publication) message {
	var all []any
	for _, p := range snapshots {
		all = append(all, map[string]any{
			"epoch": p.position.Epoch, "revision": p.position.Revision, "digest": p.position.Digest, "state": p.state,
			"count": p.count, "bytes": p.bytes, "chunks": 1, "hash": p.hash, "logBytes": 0,
		})
	}
	data, signature := signManifest(w.tb, s, of, map[string]any{"v": 2, "keys": w.keys.note.Text, "snapshots": all})
	return message{proofHeader(string(signature)), data}
}

// signManifest returns the bytes of a manifest that may say anything, and their signature.
func signManifest(tb testing.TB, s *changelog.Signer, of string, manifest map[string]any) ([]byte, changelog.Signature) {
	tb.Helper()
	data, err := json.Marshal(manifest)
	if err != nil {
		tb.Fatal(err)
	}
	signature, err := s.SignManifest(of, data)
	if err != nil {
		tb.Fatal(err)
	}
	return data, signature
}
