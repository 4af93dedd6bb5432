package follow

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

const (
	// chunkPatience is how long a chunk may be missing: a replica may be behind.
	chunkPatience = 5 * time.Second
	// chunkSlowness is how long servers may be too busy to answer.
	chunkSlowness = 30 * time.Second
)

var errChunks = errors.New("the chunks of a published snapshot are not what its manifest says")

// readSnapshot reads a published snapshot chunk by chunk and hands it to read.
func (f *Follower) readSnapshot(ctx context.Context, p changelog.PublishedSnapshot, read func(*changelog.SnapshotReader) error) error {
	environment := f.environment
	r, err := changelog.NewSnapshotReader(&chunkReader{Follower: f, ctx: ctx, of: p, sum: sha256.New()}, f.conn.Keyring())
	if err != nil {
		return fmt.Errorf("published snapshot: %w", err)
	}
	defer r.Close()
	if h := r.Header(); h.Environment != environment || h.Head.Position != p.Position() || h.Head.State != p.State || h.Count != p.Count {
		return fmt.Errorf("%w: its header is about %s at revision %d", errChunks, h.Environment, h.Head.Revision)
	}
	return read(r)
}

// chunkReader reads the chunks of a published snapshot in order. Only at their
// end it is known that they are what the manifest says.
type chunkReader struct {
	*Follower

	ctx  context.Context //nolint:containedctx // an io.Reader takes none
	of   changelog.PublishedSnapshot
	next int    // number of the next chunk
	rest []byte // of the current chunk
	sum  hash.Hash
	took time.Duration // until the last answer
}

// Read implements io.Reader.
func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.next == r.of.Chunks {
			return 0, r.end()
		}
		chunk, err := r.fetch()
		if err != nil {
			return 0, fmt.Errorf("chunk %d of %d at revision %d: %w", r.next+1, r.of.Chunks, r.of.Revision, err)
		}
		r.next++
		r.rest = chunk
		r.sum.Write(chunk)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// end verifies the hash over everything.
func (r *chunkReader) end() error {
	if changelog.Digest(r.sum.Sum(nil)) != r.of.Hash {
		return fmt.Errorf("%w: the hash of all chunks differs", errChunks)
	}
	return io.EOF
}

// fetch reads the next chunk, again while it is missing or servers are too busy
// to answer. It leaves them in peace for a while after an answer that was slow.
func (r *chunkReader) fetch() (chunk []byte, err error) {
	if !jetstream.Pause(r.ctx, backpressure(r.took, quickRead, 1)) {
		return nil, context.Cause(r.ctx)
	}
	subject := jetstream.ChunkSubject(r.environment) + "." + r.of.Subject() + "." + strconv.Itoa(r.next+1)
	err = r.snapshots.run(r.ctx, func(ctx context.Context) error {
		asked := time.Now()
		found, err := r.conn.Newest(ctx, jetstream.SnapStream(r.environment), subject)
		r.took = time.Since(asked)
		if err == nil {
			chunk = found.Data
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return chunk, r.verifySize(chunk)
}

func (r *chunkReader) verifySize(chunk []byte) error {
	want := min(r.of.Bytes-int64(r.next)*changelog.ChunkBytes, changelog.ChunkBytes)
	if int64(len(chunk)) != want {
		return fmt.Errorf("%w: a chunk has %d bytes instead of %d", errChunks, len(chunk), want)
	}
	return nil
}
