package folding

import (
	"context"
	"errors"
	"strconv"

	"github.com/flagside/flagside/internal/publisher/usage"
)

// The names of documents that are no segments.
const (
	placeName = "place"
	lastName  = "last"
)

// ErrNotRead means that the series were not read yet.
var ErrNotRead = errors.New("the usage of the environment was not read yet")

// tries is how often chunks are read that are replaced meanwhile.
const tries = 10

func chunkName(name string, i int) string { return name + "." + strconv.Itoa(i) }

type get func(ctx context.Context, name string) (data []byte, found bool, err error)

// chunks returns the parts of a document, nil if there is none. They may not belong together.
func (f *Folder) chunks(ctx context.Context, from get, name string) ([][]byte, error) {
	first, found, err := from(ctx, chunkName(name, 0))
	if err != nil || !found {
		return nil, err
	}
	n, err := usage.Chunks(first)
	if err != nil {
		return nil, err
	}
	all := [][]byte{first}
	for i := 1; i < n; i++ {
		chunk, found, err := from(ctx, chunkName(name, i))
		if err != nil {
			return nil, err
		}
		if !found {
			break
		}
		all = append(all, chunk)
	}
	return all, nil
}

// read returns a document, and reads again what is replaced meanwhile. found is false if there is none.
func read[T any](ctx context.Context, f *Folder, from get, name string, decode func([][]byte) (T, error)) (document T, found bool, err error) {
	for range tries {
		chunks, err := f.chunks(ctx, from, name)
		if err != nil || chunks == nil {
			return document, false, err
		}
		if document, err = decode(chunks); !usage.IsTorn(err) {
			return document, err == nil, err
		}
	}
	return document, false, errTorn
}

// errTorn is returned for a document that was replaced each time it was read.
var errTorn = errors.New("usage: a document was replaced while it was read")

// segment returns a segment as it is stored, nil if it is not.
func (f *Folder) segment(ctx context.Context, from get, id usage.ID) (*usage.Segment, error) {
	s, _, err := read(ctx, f, from, id.String(), f.codec.ReadSegment)
	return s, err
}

// Segments gives the segments that are stored of those from one to another of the same resolution, the oldest first. One answer at a time is read.
func (f *Folder) Segments(ctx context.Context, from, to usage.ID, each func(usage.ID, *usage.Segment)) error {
	select {
	case f.reading <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.reading }()
	store := f.store.Load()
	if store == nil {
		return ErrNotRead
	}
	for id := from; id.Start <= to.Start; id = id.Next() {
		s, err := f.segment(ctx, (*store).Glance, id)
		if err != nil {
			return err
		}
		if s != nil {
			each(id, s)
		}
	}
	return nil
}
