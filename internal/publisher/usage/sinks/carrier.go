package sinks

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/lifecycle"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/queue"
	"github.com/flagside/flagside/sync/series"
)

// Reports reads the reports of an environment. *series.Store is one.
type Reports interface {
	State(ctx context.Context) (series.State, error)
	Reports(ctx context.Context, behind, last uint64) ([]series.Report, error)
}

// timing is when things happen; tests shorten it.
type timing struct {
	look    time.Duration // between two looks for what is new
	ackWait time.Duration // until another publisher goes on with what one has left
	grace   time.Duration // by which clocks of publishers and of NATS servers may differ
	retry   time.Duration // after a failure, twice as long after each
	longest time.Duration // of these
	breaker time.Duration // for which nothing is tried after several failures
	late    time.Duration // after which, beside the time of a parcel, a report that waits is a condition
}

func usualTiming() timing {
	return timing{
		look: time.Second, ackWait: 15 * time.Second, grace: 10 * time.Second, retry: time.Second, longest: time.Minute, breaker: time.Minute, late: 15 * time.Minute,
	}
}

// inactive is how long the place of a sink is remembered that is in no file: longer than reports are kept, so that it does not begin again with reports that
// it has taken.
const inactive = 7 * 24 * time.Hour

// errGivenAway means that a parcel may be in other hands by now.
var errGivenAway = errors.New("another publisher may have the reports by now, because NATS was not reached in time")

// carrier brings the reports of one environment to one sink, parcel after parcel.
type carrier struct {
	sink        Sink
	environment string
	replicas    int
	conn        *flagsync.Conn
	openReports func(context.Context) (Reports, error)
	target      destination
	patience    *patience
	timing      timing
	tally       *tally

	// What follows belongs to run.
	reports Reports
	place   *queue.Place
	next    upcoming
	past    past
}

// past is what was seen at the last look.
type past struct {
	source         string
	floor, waiting uint64
}

// upcoming is what is known of the parcel behind a place, so that it is not read again in vain.
type upcoming struct {
	floor uint64
	until time.Time // when it is complete at the latest, while it is not
	few   uint64    // reports that waited when that was found out
	to    uint64    // where it ends, once it is complete; 0 before
}

// run carries until ctx ends.
func (c *carrier) run(ctx context.Context) {
	failing := false
	_ = lifecycle.Every(ctx, c.timing.look, func(ctx context.Context) {
		err := c.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			c.tally.logger.Warn().Err(err).Msg("usage sink interrupted, trying again")
		}
		failing = err != nil
		if err != nil {
			c.close()
		}
	})
	c.close()
}

// close lets another publisher have what is held.
func (c *carrier) close() {
	if c.place != nil {
		c.place.Release()
	}
	c.reports, c.place, c.next = nil, nil, upcoming{}
}

// look carries every parcel that is complete.
func (c *carrier) look(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := c.open(ctx); err != nil {
			return err
		}
		p, err := c.complete(ctx)
		if err != nil || p == nil {
			return err
		}
		if err := c.carry(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (c *carrier) open(ctx context.Context) (err error) {
	if c.place != nil {
		return nil
	}
	if c.reports == nil {
		if c.reports, err = c.openReports(ctx); err != nil {
			return err
		}
	}
	c.place, err = queue.OpenPlace(ctx, c.conn, queue.PlaceOptions{
		Stream: flagsync.UsageStream(c.environment), Name: "sink-" + c.sink.Name, AckWait: c.timing.ackWait, Inactive: inactive, Replicas: c.replicas,
	})
	return err
}

// complete returns the next parcel, if it is complete and on this publisher to write.
func (c *carrier) complete(ctx context.Context) (*parcel, error) {
	if err := c.place.Take(ctx); err != nil {
		return nil, err
	}
	progress, err := c.place.Progress(ctx)
	if err != nil {
		return nil, err
	}
	c.tally.waits(progress.Waiting, progress.Acknowledged)
	if progress.Waiting == 0 && c.past.waiting == 0 {
		c.past = past{c.past.source, progress.Acknowledged, 0}
		return nil, nil
	}
	now := time.Now() // before the stream is asked how far it goes
	state, err := c.reports.State(ctx)
	if err != nil {
		return nil, err
	}
	c.noteLoss(progress, state)
	if progress.Waiting == 0 || !c.worthReading(progress) {
		return nil, nil
	}
	g := gatherFrom(state.Source, progress.Acknowledged, c.sink.Every, c.sink.Series)
	p, until, err := gather(ctx, c.reports, state, g, now, c.timing.grace)
	if err != nil {
		return nil, err
	}
	if g.reports > 0 {
		c.tally.begins(g.first)
	}
	if p == nil {
		c.next = upcoming{floor: progress.Acknowledged, until: until, few: progress.Waiting}
		return nil, nil
	}
	c.next = upcoming{floor: progress.Acknowledged, to: p.to}
	if !c.place.Holds(p.to) {
		return nil, nil
	}
	return p, nil
}

// noteLoss tells of reports that were removed since the last look, while they waited. The server does not: it moves the place past them.
func (c *carrier) noteLoss(p queue.Progress, s series.State) {
	seen, gone := c.past.source, max(s.First, 1)-1 // everything up to here is gone
	if c.past.waiting > 0 && c.past.source == s.Source && c.past.floor < gone && p.Acknowledged <= gone {
		c.tally.misses(gone - c.past.floor)
	}
	c.past = past{s.Source, max(c.past.floor, p.Acknowledged, gone), p.Waiting}
	if s.Source != seen {
		c.past.floor = max(p.Acknowledged, gone)
	}
}

// worthReading reports whether a parcel may be complete that was not when it was read last.
func (c *carrier) worthReading(p queue.Progress) bool {
	if c.next.floor != p.Acknowledged {
		return true
	}
	if c.next.to > 0 {
		return c.place.Holds(c.next.to)
	}
	return !time.Now().Before(c.next.until) || p.Waiting > c.next.few+maxReports/4
}

// carry writes a parcel and advances the place past it. If that fails, the same parcel is written again.
func (c *carrier) carry(ctx context.Context, p *parcel) error {
	before := c.past
	c.past.floor = p.to // what is in hand is not lost when the stream removes it
	ours, end := context.WithCancelCause(ctx)
	defer end(nil)
	var holding sync.WaitGroup
	holding.Go(func() { c.hold(ours, p.to, end) })
	err := c.target.write(ours, c.environment, p, func(ctx context.Context, request func(context.Context) error) error {
		return c.patience.try(ctx, request, c.tally)
	}, c.tally)
	why := context.Cause(ours)
	end(nil)
	holding.Wait()
	if err != nil {
		c.past = before
		return errors.Join(err, why)
	}
	if err := c.place.Advance(ctx, p.to); err != nil {
		return err
	}
	c.tally.took(p)
	return nil
}

// observe notes how much waits, and what is lost, while a parcel takes its time.
func (c *carrier) observe(ctx context.Context) {
	progress, err := c.place.Progress(ctx)
	if err != nil {
		return // that NATS is out of reach is noted by who works
	}
	c.tally.waits(progress.Waiting, progress.Acknowledged)
	if state, err := c.reports.State(ctx); err == nil {
		c.noteLoss(progress, state)
	}
}

// hold keeps a parcel ours until ctx ends, and ends it in time when that is not certain any more.
func (c *carrier) hold(ctx context.Context, sequence uint64, end context.CancelCauseFunc) {
	ticks := time.NewTicker(c.timing.ackWait / 6)
	defer ticks.Stop()
	for held := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		c.observe(ctx)
		asked := time.Now()
		switch err := c.place.Working(ctx, sequence); {
		case err == nil:
			held = asked
		case time.Since(held) > c.timing.ackWait*2/3:
			end(errGivenAway)
			return
		}
	}
}
