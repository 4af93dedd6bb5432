package folding

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/usage"
	"github.com/flagside/flagside/sync/series"
)

// Interval is how often reports are folded, on average.
const Interval = 10 * time.Second

// deference is for how many intervals, at least, another publisher is left to do the work after it has written. It is up to twice as many.
const deference = 3

// Store is what a Folder needs of the streams of its environment. *series.Store is one.
type Store interface {
	State(ctx context.Context) (series.State, error)
	Reports(ctx context.Context, behind, last uint64) ([]series.Report, error)
	Get(ctx context.Context, name string) (data []byte, found bool, err error)
	Glance(ctx context.Context, name string) (data []byte, found bool, err error)
	Write(ctx context.Context, behind uint64, documents []series.Document) (end uint64, err error)
}

// Options say what is folded. All but Interval are required.
type Options struct {
	// Open opens the streams. It is called until it succeeds, and again after they were lost.
	Open func(context.Context) (Store, error)
	// Interval is how often reports are folded; 0 means Interval.
	Interval time.Duration
	Logger   zerolog.Logger
}

// Folder folds the reports of one environment. Create it with New and run it once.
type Folder struct {
	options Options
	codec   *usage.Codec
	reading chan struct{} // of one: held while segments are read for an answer
	store   atomic.Pointer[Store]
	known   atomic.Pointer[Known]

	// What follows belongs to Run.
	fold   *usage.Fold // nil while it is not known what was folded
	end    uint64      // of the series, as fold knows them
	defers time.Time   // until when another publisher does the work
}

// New returns a folder. The only error is that of a codec that cannot be made.
func New(o Options) (*Folder, error) {
	if o.Interval == 0 {
		o.Interval = Interval
	}
	codec, err := usage.NewCodec()
	if err != nil {
		return nil, err
	}
	f := &Folder{options: o, codec: codec, reading: make(chan struct{}, 1)}
	f.known.Store(&Known{})
	return f, nil
}

// Run folds until ctx ends. It returns nil.
func (f *Folder) Run(ctx context.Context) error {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		err := f.round(ctx)
		if ctx.Err() != nil {
			return nil
		}
		f.note(err)
		next.Reset(f.options.Interval*4/5 + rand.N(f.options.Interval*2/5)) // #nosec G404 -- it spreads work
	}
}

// round folds what has come since the last one, if it is on this publisher to do so.
func (f *Folder) round(ctx context.Context) error {
	store, err := f.open(ctx)
	if err != nil {
		return err
	}
	state, err := store.State(ctx)
	if err != nil {
		f.store.Store(nil) // it may have to be made again
		f.fold = nil
		return err
	}
	now := time.Now()
	if f.fold == nil || state.End != f.end || state.Source != f.fold.Place.Source {
		if f.fold, err = f.load(ctx, store, state); err != nil {
			return err
		}
		if f.end != 0 && state.End != f.end { // which was not written here
			f.deferFrom(now)
		}
		f.end = state.End
	}
	if !now.Before(f.defers) {
		f.fold.Begin(now)
		err = f.advance(ctx, store, state.Last)
	}
	if f.fold != nil {
		f.publish(state, now)
	}
	return err
}

func (f *Folder) open(ctx context.Context) (Store, error) {
	if opened := f.store.Load(); opened != nil {
		return *opened, nil
	}
	store, err := f.options.Open(ctx)
	if err != nil {
		return nil, err
	}
	f.store.Store(&store)
	return store, nil
}

// load returns what was folded before, as the leader of the stream knows it.
func (f *Folder) load(ctx context.Context, store Store, state series.State) (*usage.Fold, error) {
	place, _, err := read(ctx, f, store.Get, placeName, f.codec.ReadPlace)
	if err != nil {
		return nil, err
	}
	last, found, err := read(ctx, f, store.Get, lastName, f.codec.ReadLast)
	if err != nil {
		return nil, err
	}
	if !found {
		last = usage.NewLast()
	}
	fold := usage.NewFold(place, last)
	if place.Source != state.Source {
		fold.Move(state.Source, max(state.First, 1)-1, time.Now())
	}
	return fold, nil
}

// advance folds and writes all reports up to a sequence. When it cannot, what was folded and not written is forgotten.
func (f *Folder) advance(ctx context.Context, store Store, last uint64) error {
	err := f.foldUpTo(ctx, store, last)
	if err == nil {
		return nil
	}
	f.fold = nil
	if errors.Is(err, series.ErrConflict) { // another publisher does the work
		f.deferFrom(time.Now())
		return nil
	}
	return err
}

// deferFrom leaves the work to another publisher for a while.
func (f *Folder) deferFrom(now time.Time) {
	f.defers = now.Add(deference*f.options.Interval + rand.N(deference*f.options.Interval)) // #nosec G404 -- it spreads work
}

func (f *Folder) foldUpTo(ctx context.Context, store Store, last uint64) error {
	for f.fold.Place.Covered < last {
		reports, err := store.Reports(ctx, f.fold.Place.Covered, last)
		if err != nil {
			return err
		}
		if len(reports) == 0 {
			f.fold.Skip(last)
		}
		for _, r := range reports {
			if err := f.add(ctx, store, usage.NewMessage(r.Sequence, r.Received, r.Data)); err != nil {
				return err
			}
			if f.fold.Full() {
				if err := f.write(ctx, store); err != nil {
					return err
				}
			}
		}
	}
	if f.fold.Messages() == 0 {
		return nil
	}
	return f.write(ctx, store)
}

func (f *Folder) add(ctx context.Context, store Store, m usage.Message) error {
	for _, id := range f.fold.Missing(m) {
		s, err := f.segment(ctx, store.Get, id)
		if err != nil {
			return err
		}
		f.fold.Load(id, s)
	}
	f.fold.Add(m)
	return nil
}

// write writes everything that has changed, together with the place that it covers.
func (f *Folder) write(ctx context.Context, store Store) error {
	documents, err := f.documents()
	if err != nil {
		return err
	}
	end, err := store.Write(ctx, f.end, documents)
	if err != nil {
		return err
	}
	f.end = end
	f.fold.Written()
	return nil
}

func (f *Folder) documents() (all []series.Document, err error) {
	segments, last := f.fold.Changed()
	covered := f.fold.Place.Covered
	add := func(name string, expires time.Duration) func([][]byte, error) {
		return func(chunks [][]byte, failed error) {
			err = errors.Join(err, failed)
			for i, chunk := range chunks {
				all = append(all, series.Document{Name: chunkName(name, i), Data: chunk, Expires: expires})
			}
		}
	}
	for id, s := range segments {
		add(id.String(), id.Resolution.Expires())(f.codec.Segment(s, covered))
	}
	if last {
		add(lastName, 0)(f.codec.Last(f.fold.Last, covered))
	}
	add(placeName, 0)(f.codec.Place(f.fold.Place))
	return all, err
}
