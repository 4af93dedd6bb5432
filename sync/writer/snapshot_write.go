package writer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// chunkTimeout is how long the acknowledgement of a chunk is waited for. No caller
// waits for a snapshot, and its chunks are large.
const chunkTimeout = 5 * time.Second

// Snapshot is a state that can be written as a snapshot, the same bytes each
// time.
type Snapshot interface {
	Header() changelog.Header
	Write(w io.Writer) error
}

// errOutdated tells that there is no use in publishing a snapshot: the log has
// moved to another epoch, or another publisher has published the same or more.
var errOutdated = errors.New("the snapshot is outdated")

// PublishSnapshot publishes s for followers that have far to go, and reports
// whether it did: not when another publisher has published the same or more. It refuses
// a state that is not one of the log ([changelog.ErrDifferentHistory]). Memory
// is bounded: s is written twice, once to learn its hash.
func (l *Log) PublishSnapshot(ctx context.Context, s Snapshot) (bool, error) {
	published, err := l.publishSnapshot(ctx, s)
	if errors.Is(err, errOutdated) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("publish a snapshot of %s: %w", l.environment, err)
	}
	return published, nil
}

func (l *Log) publishSnapshot(ctx context.Context, s Snapshot) (bool, error) {
	if _, err := l.conn.CreateStream(ctx, jetstream.SnapConfig(l.environment, l.replicas)); err != nil {
		return false, err
	}
	before, sequence, err := leaderManifest(ctx, l.conn, l.environment)
	if err != nil {
		return false, err
	}
	h := s.Header()
	logBytes, err := l.verifySnapshot(ctx, h.Head.Position, before.Newest())
	if err != nil {
		return false, err
	}
	p := changelog.PublishedSnapshot{
		Epoch: h.Head.Epoch, Revision: h.Head.Revision, Digest: h.Head.Digest, State: h.Head.State, Count: h.Count, LogBytes: logBytes,
	}
	if p, err = measured(p, s); err != nil {
		return false, err
	}
	if err := l.writeChunks(ctx, p, s); err != nil {
		return false, err
	}
	if err := l.verifyChunks(ctx, p); err != nil {
		return false, err
	}
	m := before.With(p)
	m.Keys = l.conn.Keyring().Shown().Text
	return l.putManifest(ctx, m, sequence)
}

// verifySnapshot reports why a snapshot of a position is of no use, and else
// the size of the log: the log must hold the position, be in its epoch, and the
// newest published snapshot must be older.
func (l *Log) verifySnapshot(ctx context.Context, p changelog.Position, newest changelog.PublishedSnapshot) (uint64, error) {
	stream := jetstream.FlagsStream(l.environment)
	info, err := l.conn.Info(ctx, stream)
	if err != nil {
		return 0, err
	}
	m, err := l.conn.Message(ctx, stream, p.Revision)
	if err != nil && !errors.Is(err, jetstream.ErrNoMessage) {
		return 0, err
	}
	if err != nil || changelog.Sum(m.Data) != p.Digest {
		return 0, fmt.Errorf("the log does not hold revision %d as it is here: %w", p.Revision, changelog.ErrDifferentHistory)
	}
	t, err := l.advance(ctx, info.State.LastSequence)
	if err != nil {
		return 0, err
	}
	if t.head.Epoch != p.Epoch || newest.Epoch == p.Epoch && newest.Revision >= p.Revision {
		return 0, errOutdated
	}
	return info.State.Bytes, nil
}

// measured returns p with the size and the hash of a snapshot.
func measured(p changelog.PublishedSnapshot, s Snapshot) (changelog.PublishedSnapshot, error) {
	m := &measuring{sum: sha256.New()}
	if err := s.Write(m); err != nil {
		return p, err
	}
	p.Bytes, p.Hash = m.bytes, changelog.Digest(m.sum.Sum(nil))
	p.Chunks = int((p.Bytes + changelog.ChunkBytes - 1) / changelog.ChunkBytes)
	return p, nil
}

// measuring counts and hashes what is written to it.
type measuring struct {
	bytes int64
	sum   hash.Hash
}

// Write implements io.Writer.
func (m *measuring) Write(p []byte) (int, error) {
	m.bytes += int64(len(p))
	return m.sum.Write(p)
}

// writeChunks stores the chunks and verifies that they are what was measured.
func (l *Log) writeChunks(ctx context.Context, p changelog.PublishedSnapshot, s Snapshot) error {
	sum := &measuring{sum: sha256.New()}
	chunks := &chunkWriter{ctx: ctx, conn: l.conn, subject: l.chunksOf(p), chunk: make([]byte, 0, changelog.ChunkBytes)}
	if err := s.Write(io.MultiWriter(sum, chunks)); err != nil {
		return err
	}
	if err := chunks.flush(); err != nil {
		return err
	}
	if changelog.Digest(sum.sum.Sum(nil)) != p.Hash {
		return errors.New("the snapshot changed while it was written: two writes of the same documents differ")
	}
	return nil
}

// chunkWriter stores what is written to it in chunks. Storing one again does no
// harm: it has its own subject, which holds one message.
type chunkWriter struct {
	ctx     context.Context //nolint:containedctx // an io.Writer takes none
	conn    jetstream.Client
	subject string
	chunk   []byte
	stored  int
}

// Write implements io.Writer.
func (w *chunkWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := min(changelog.ChunkBytes-len(w.chunk), len(p))
		w.chunk = append(w.chunk, p[:n]...)
		p, written = p[n:], written+n
		if len(w.chunk) == changelog.ChunkBytes {
			if err := w.flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// flush stores the current chunk, unless it is empty.
func (w *chunkWriter) flush() error {
	if len(w.chunk) == 0 {
		return nil
	}
	m := jetstream.NewOutgoing(w.subject+"."+strconv.Itoa(w.stored+1), w.chunk)
	_, err := settle(w.ctx, w.conn, func() (bool, error) {
		_, err := w.conn.PublishWithin(w.ctx, m, chunkTimeout)
		return !errors.Is(err, flagsync.ErrUnreachable), err
	})
	if err != nil {
		return err
	}
	w.stored++
	w.chunk = w.chunk[:0]
	return nil
}

// chunksOf returns what the subjects of the chunks of a snapshot begin with.
func (l *Log) chunksOf(p changelog.PublishedSnapshot) string {
	return jetstream.ChunkSubject(l.environment) + "." + p.Subject()
}

// verifyChunks asks the leader whether all chunks are there.
func (l *Log) verifyChunks(ctx context.Context, p changelog.PublishedSnapshot) error {
	there, err := l.conn.Subjects(ctx, jetstream.SnapStream(l.environment), l.chunksOf(p)+".>")
	if err != nil {
		return err
	}
	for i := range p.Chunks {
		if !there[l.chunksOf(p)+"."+strconv.Itoa(i+1)] {
			return fmt.Errorf("chunk %d of %d is missing", i+1, p.Chunks)
		}
	}
	return nil
}

// putManifest writes the manifest after the one with a sequence, and reports
// whether it did: not when another publisher was faster.
func (l *Log) putManifest(ctx context.Context, m changelog.Manifest, sequence uint64) (bool, error) {
	data, signature, err := changelog.EncodeManifest(l.conn.Signer(), l.environment, m)
	if err != nil {
		return false, err
	}
	out := jetstream.NewOutgoing(jetstream.ManifestSubject(l.environment), data)
	out.SetProof(string(signature))
	out.ExpectLastOfSubject(sequence)
	won := false
	_, err = settle(ctx, l.conn, func() (bool, error) {
		_, err := l.conn.Publish(ctx, out)
		if err == nil || !jetstream.Undecided(err) {
			won = err == nil
			return true, err
		}
		found, at, lookup := leaderManifest(ctx, l.conn, l.environment)
		if lookup == nil && at > sequence {
			won = found.Newest() == m.Newest()
			return true, nil
		}
		return false, errors.Join(err, lookup)
	})
	return won, err
}

// PurgeSnapshots frees the chunks of snapshots that no manifest names and none
// ever will: those that were replaced, and those that were never completed. A
// snapshot that a publisher is just writing stays.
func (l *Log) PurgeSnapshots(ctx context.Context) error {
	prefix := jetstream.ChunkSubject(l.environment) + "."
	chunks, err := l.conn.Subjects(ctx, jetstream.SnapStream(l.environment), prefix+">")
	if err != nil {
		return fmt.Errorf("purge snapshots: %w", err)
	}
	m, _, err := leaderManifest(ctx, l.conn, l.environment)
	if err != nil {
		return fmt.Errorf("purge snapshots: %w", err)
	}
	head, err := l.Head(ctx) // after the chunks were listed, so that none of a later epoch is among them
	if err != nil {
		return fmt.Errorf("purge snapshots: %w", err)
	}
	for snapshot := range snapshotsOf(chunks) {
		if keeps(m, strings.TrimPrefix(snapshot, prefix), head.Epoch) {
			continue
		}
		if err := l.conn.Request(ctx, "STREAM.PURGE."+jetstream.SnapStream(l.environment), map[string]string{"filter": snapshot + ".>"}, nil); err != nil {
			return fmt.Errorf("purge snapshots: %w", err)
		}
	}
	return nil
}

// snapshotsOf returns what the subjects of chunks begin with, each once.
func snapshotsOf(chunks map[string]bool) map[string]bool {
	snapshots := make(map[string]bool)
	for subject := range chunks {
		if end := strings.LastIndexByte(subject, '.'); end > 0 {
			snapshots[subject[:end]] = true
		}
	}
	return snapshots
}

// keeps reports whether the chunks of a snapshot, named as its subject is below that of all chunks, are named by the manifest, or may
// still be named by a later one: they are of the epoch of the log, and of a higher revision than those that are named.
func keeps(m changelog.Manifest, snapshot string, epoch changelog.Epoch) bool {
	for _, p := range m.Snapshots {
		if p.Subject() == snapshot {
			return true
		}
	}
	parts := strings.Split(snapshot, ".")
	if len(parts) != 3 || parts[0] != string(epoch) {
		return false
	}
	revision, err := strconv.ParseUint(parts[1], 10, 64)
	return err == nil && (m.Newest().Epoch != epoch || revision > m.Newest().Revision)
}

// leaderManifest returns the manifest as the leader has it, with its sequence. It
// has no snapshots when there is none that a publisher signed.
func leaderManifest(ctx context.Context, c jetstream.Client, environment string) (changelog.Manifest, uint64, error) {
	found, err := c.LastMessage(ctx, jetstream.SnapStream(environment), jetstream.ManifestSubject(environment))
	if errors.Is(err, jetstream.ErrNoMessage) {
		return changelog.Manifest{}, 0, nil
	}
	if err != nil {
		return changelog.Manifest{}, 0, err
	}
	m, err := changelog.DecodeManifest(c.Keyring(), environment, found.Data, changelog.Signature(found.Proof))
	if err != nil {
		return changelog.Manifest{}, found.Sequence, nil //nolint:nilerr // it is noise, and the next one takes its place
	}
	return m, found.Sequence, nil
}
