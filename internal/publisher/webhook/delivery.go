package webhook

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/sync/queue"
)

// delivery brings the events of one environment to one receiver, one after the other.
type delivery struct {
	feed     *feed
	receiver *receiver
	link     string
	nameOf   func(id string) (name string, known bool)
	counters counters
	lost     func(n uint64)
	logger   zerolog.Logger

	mu       sync.Mutex // guards what follows
	state    deliveryState
	consumer *queue.Consumer
	all      bool // a consumer is to begin at the beginning: the environment is new, or the consumer was there and is gone

	// What only run uses.
	count  uint64 // of the message that was acknowledged last, as stored counts
	number uint64 // of that message among those that the consumer has given out; 0 is none
}

// deliveryState is what is known here of a delivery. Another publisher may know more: it has the event in hand.
type deliveryState struct {
	begun     bool      // the consumer is there
	lastError error     // nil after a success
	failing   time.Time // since when each attempt has failed; zero if the last one succeeded
	attempts  uint64    // that failed since
	succeeded time.Time
	delivered uint64 // by this publisher
}

// errExpired means that an event is as old as events become.
var errExpired = errors.New("the event has expired")

// errGivenAway means that the event may be in other hands by now.
var errGivenAway = errors.New("the event is no longer ours, because the queue was not reached in time")

// run delivers until ctx ends.
func (d *delivery) run(ctx context.Context) {
	defer d.receiver.close()
	for ctx.Err() == nil {
		q, err := d.consume(ctx)
		if ctx.Err() != nil {
			return
		}
		d.logger.Debug().Err(err).Msg("webhook interrupted")
		if errors.Is(err, queue.ErrLost) && q != nil {
			d.feed.reopen(q)
		}
		select {
		case <-ctx.Done():
		case <-time.After(d.feed.timing.reopen):
		}
	}
}

// consume delivers until something fails.
func (d *delivery) consume(ctx context.Context) (*queue.Queue, error) {
	q, err := d.feed.open(ctx)
	if err != nil {
		return nil, err
	}
	c, err := d.open(ctx, q)
	if err != nil {
		return q, err
	}
	d.mu.Lock()
	d.consumer, d.all = c, true
	d.mu.Unlock()
	for {
		m, err := c.Next(ctx)
		if err == nil {
			err = d.handle(ctx, q, m)
		}
		if err != nil {
			return q, err
		}
	}
}

// open returns the consumer of the webhook. A new one begins with what happens from now on, and so not before everything older was copied.
func (d *delivery) open(ctx context.Context, q *queue.Queue) (*queue.Consumer, error) {
	c, err := q.Consumer(ctx, d.options(), false)
	if err == nil || !errors.Is(err, queue.ErrLost) || isClosed(d.feed.finished) {
		return c, err
	}
	select {
	case <-d.feed.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return q.Consumer(ctx, d.options(), true)
}

func (d *delivery) options() queue.ConsumerOptions {
	d.mu.Lock()
	defer d.mu.Unlock()
	return queue.ConsumerOptions{Name: d.receiver.webhook.Name, AckWait: d.feed.timing.ackWait, Inactive: d.feed.timing.keepFor, FromBeginning: d.all}
}

// endWhenTold calls end once everything is told that was copied, of an environment in which nothing happens any more.
func (d *delivery) endWhenTold(ctx context.Context, end func()) {
	select {
	case <-d.feed.finished:
	case <-ctx.Done():
		return
	}
	told := func(ctx context.Context) {
		if waiting, err := d.isWaiting(ctx); err == nil && !waiting {
			end()
		}
	}
	_ = lifecycle.Every(ctx, d.feed.timing.progress, told) // always nil
}

// isWaiting reports whether events wait. Without a consumer, none does.
func (d *delivery) isWaiting(ctx context.Context) (bool, error) {
	q, err := d.feed.open(ctx)
	if err == nil {
		var c *queue.Consumer
		if c, err = q.Consumer(ctx, d.options(), false); err == nil {
			var p queue.Progress
			p, err = c.Progress(ctx)
			return p.Waiting > 0, err
		}
	}
	if errors.Is(err, queue.ErrLost) {
		return false, nil
	}
	return false, err
}

// handle delivers one message and acknowledges it.
func (d *delivery) handle(ctx context.Context, q *queue.Queue, m queue.Delivery) error {
	s, err := decodeStored(m.Data)
	if err != nil {
		d.failed(err)
		return err // a newer publisher reads it, perhaps this one after an update
	}
	d.noteGap(ctx, q, m, s)
	if s.Event != nil && d.receiver.webhook.wants(s.Event.Type, s.Event.Breaks) {
		if err := d.deliver(ctx, m, s); err != nil {
			return err
		}
	}
	if err := m.Ack(ctx); err != nil {
		return err
	}
	d.number, d.count = m.Number, s.Count
	return nil
}

// deliver sends an event until the receiver has it, as long as it is ours. One that has expired is given up: the queue gives the next one to any publisher.
func (d *delivery) deliver(ctx context.Context, m queue.Delivery, s stored) error {
	ours, end := context.WithCancelCause(ctx)
	defer time.AfterFunc(time.Until(m.Stored.Add(d.feed.timing.keepFor)), func() { end(errExpired) }).Stop()
	var holding sync.WaitGroup
	holding.Go(func() { hold(ours, m, d.feed.timing.ackWait, end) })
	err := d.receiver.deliver(ours, d.occurrence(s), d.failed)
	why := context.Cause(ours)
	end(nil)
	holding.Wait()
	if err != nil && errors.Is(why, errExpired) {
		d.expired(1)
		return nil
	}
	if err != nil {
		m.Release() // for the publisher that goes on, or for this one with another file of webhooks
		d.givenAway()
		return err
	}
	d.succeeded()
	return nil
}

// hold keeps a message ours until ctx ends, and ends it in time when that is not certain any more.
func hold(ctx context.Context, m queue.Delivery, wait time.Duration, end context.CancelCauseFunc) {
	ticks := time.NewTicker(wait / 6)
	defer ticks.Stop()
	for held := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		asked := time.Now()
		switch err := m.Working(ctx); {
		case err == nil:
			held = asked
		case time.Since(held) > wait*2/3:
			end(errGivenAway)
			return
		}
	}
}

// occurrence returns an event with the names of persons, which are known now and may be erased tomorrow.
func (d *delivery) occurrence(s stored) occurrence {
	o := occurrence{environment: d.feed.environment, id: s.ID, event: *s.Event}
	o.event.Names = nil
	for _, id := range append([]string{o.event.Actor}, o.event.Approvers...) {
		if name, known := d.nameOf(id); known && id != "" {
			if o.event.Names == nil {
				o.event.Names = make(api.Names)
			}
			o.event.Names[id] = name
		}
	}
	if o.event.Request != "" {
		o.link = linkOf(d.link, o.environment, o.event.Request)
	}
	return o
}

// noteGap finds out whether events expired between the last one that was acknowledged and this one.
func (d *delivery) noteGap(ctx context.Context, q *queue.Queue, m queue.Delivery, s stored) {
	before := s.Count // events up to the one before
	if s.Event != nil && before > 0 {
		before--
	}
	count, known := d.count, d.number > 0 && m.Number == d.number+1
	if !known { // this is the first one here, or another publisher had some meanwhile
		count, known = d.countAcknowledged(ctx, q)
	}
	if known && before > count {
		d.expired(before - count)
	}
}

// countAcknowledged returns the count of the message that was acknowledged last, by anyone. Of one that has expired itself, it is not known.
func (d *delivery) countAcknowledged(ctx context.Context, q *queue.Queue) (uint64, bool) {
	d.mu.Lock()
	c := d.consumer
	d.mu.Unlock()
	p, err := c.Progress(ctx)
	if err != nil || p.Acknowledged == 0 {
		return 0, false
	}
	found, ok, err := q.First(ctx, p.Acknowledged-1)
	if err != nil || !ok || found.Sequence != p.Acknowledged {
		return 0, false
	}
	s, err := decodeStored(found.Data)
	return s.Count, err == nil
}

// expired tells that events are lost for the receiver.
func (d *delivery) expired(n uint64) {
	d.lost(n)
	d.logger.Error().Uint64("events", n).Msg("events expired before the receiver had them")
}

func (d *delivery) failed(err error) {
	d.counters.failed.Inc()
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.state.failing.IsZero() {
		d.state.failing = now
		d.logger.Warn().Err(err).Msg("webhook failed, trying again")
	}
	d.state.lastError = err
	d.state.attempts++
}

func (d *delivery) succeeded() {
	d.counters.delivered.Inc()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.state.failing.IsZero() {
		d.logger.Info().Uint64("attempts", d.state.attempts).Dur("after", time.Since(d.state.failing)).Msg("webhook works again")
	}
	d.state.lastError, d.state.failing, d.state.attempts = nil, time.Time{}, 0
	d.state.succeeded = time.Now()
	d.state.delivered++
}

// givenAway forgets that attempts failed: who has the event now knows how it goes on.
func (d *delivery) givenAway() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.lastError, d.state.failing, d.state.attempts = nil, time.Time{}, 0
}

// known returns what is known here, without what the queue knows.
func (d *delivery) known() deliveryState {
	d.mu.Lock()
	defer d.mu.Unlock()
	state := d.state
	state.begun = d.consumer != nil
	return state
}

// backlog is what the queue knows of a delivery.
type backlog struct {
	messages uint64
	oldest   time.Time // when the oldest event that waits was copied; zero if none waits
}

// ask returns what waits.
func (d *delivery) ask(ctx context.Context) (backlog, error) {
	d.mu.Lock()
	c := d.consumer
	d.mu.Unlock()
	if c == nil {
		return backlog{}, fmt.Errorf("the queue was not opened yet")
	}
	p, err := c.Progress(ctx)
	if err != nil || p.Waiting == 0 {
		return backlog{}, err
	}
	q, err := d.feed.open(ctx)
	if err != nil {
		return backlog{}, err
	}
	w := backlog{messages: p.Waiting}
	m, found, err := q.First(ctx, p.Acknowledged)
	if found {
		w.oldest = m.Stored
	}
	return w, err
}
