package flagsync

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
)

// chunkPatience is how long a chunk may be missing: a replica may be behind.
const chunkPatience = 5 * time.Second

var errChunks = errors.New("the chunks of a published snapshot are not what its manifest says")

// readSnapshot reads a published snapshot chunk by chunk and hands it to read.
func (c *Conn) readSnapshot(ctx context.Context, environment string, p publishedSnapshot, read func(*changelog.SnapshotReader) error) error {
	r, err := changelog.NewSnapshotReader(&chunkReader{ctx: ctx, conn: c, environment: environment, of: p, sum: sha256.New()})
	if err != nil {
		return fmt.Errorf("published snapshot: %w", err)
	}
	defer r.Close()
	if h := r.Header(); h.Environment != environment || h.Position != p.position() || h.Count != p.Count {
		return fmt.Errorf("%w: its header is about %s at revision %d", errChunks, h.Environment, h.Position.Revision)
	}
	return read(r)
}

// chunkReader reads the chunks of a published snapshot in order. Only at their
// end it is known that they are what the manifest says.
type chunkReader struct {
	ctx         context.Context //nolint:containedctx // an io.Reader takes none
	conn        *Conn
	environment string
	of          publishedSnapshot
	next        int    // number of the next chunk
	rest        []byte // of the current chunk
	sum         hash.Hash
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

// fetch reads the next chunk. It tries again while it is missing.
func (r *chunkReader) fetch() ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.ctx, chunkPatience)
	defer cancel()
	subject := r.of.subject(r.environment) + "." + strconv.Itoa(r.next+1)
	var pauses backoff
	for {
		chunk, err := r.conn.newestData(ctx, snapStream(r.environment), subject)
		if err == nil {
			return chunk, r.verifySize(chunk)
		}
		if !errors.Is(err, errNoMessage) && !errors.Is(err, ErrUnreachable) || !pauses.wait(ctx) {
			return nil, err
		}
	}
}

func (r *chunkReader) verifySize(chunk []byte) error {
	want := min(r.of.Bytes-int64(r.next)*chunkBytes, chunkBytes)
	if int64(len(chunk)) != want {
		return fmt.Errorf("%w: a chunk has %d bytes instead of %d", errChunks, len(chunk), want)
	}
	return nil
}
