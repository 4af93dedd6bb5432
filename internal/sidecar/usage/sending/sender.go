package sending

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/timeout"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	counting "github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
	"github.com/flagside/flagside/sync/usage"
)

// Interval is how often counts are reported, on average: each pause is up to a fifth longer or shorter.
const Interval = time.Minute

const (
	// attempt bounds one attempt to send a report, and flush all of them when the process ends.
	attempt = 5 * time.Second
	flush   = 2 * time.Second
	// pause is how long nothing is sent after an attempt that failed, and maxPause how long after many.
	pause    = time.Second
	maxPause = time.Minute
	// quiet is how long after a failure that was logged none is.
	quiet = 10 * time.Minute
)

// Options say what is reported, and how. All but Dir and Interval are required. The functions are called by one goroutine.
type Options struct {
	Counts *counting.Counts
	// Events has exposures and outcomes; nil has none.
	Events *events.Recorder
	// Boot is the random id of the process, see status.NewBoot.
	Boot string
	// Fill adds to a report who the sidecar is, and how many clients evaluate by themselves.
	Fill func(*usage.Report)
	// Epoch returns the epoch that revisions are of now; empty if there is none.
	Epoch func() string
	// Send brings the bytes of a report to the publishers and returns nil once they hold it. It wraps an error that may pass.
	Send func(ctx context.Context, boot string, n uint64, data []byte) error
	// Dir is where reports wait; empty is in memory. It belongs to this process alone.
	Dir string
	// Interval is for tests; 0 means Interval.
	Interval time.Duration
	Metrics  prometheus.Registerer
	Logger   zerolog.Logger
}

// Sender reports what a sidecar counted. Create it with New and run it once.
type Sender struct {
	options  Options
	spool    *spool
	metrics  metrics
	policies failsafe.Executor[any] // for all attempts but those at the end
	failures int                    // attempts in a row that failed
	failing  bool                   // that was logged
	logged   time.Time              // when
	last     time.Time              // when counts were collected
	epoch    string                 // of what is counted; empty until it is known
	sent     uint64                 // reports that were numbered
}

// New returns a sender. The only error is that of metrics that cannot be registered.
func New(o Options) (*Sender, error) {
	if o.Interval == 0 {
		o.Interval = Interval
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Sender{options: o, spool: newSpool(o.Dir, m.dropped), metrics: m, last: time.Now()}
	circuit := circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(1).
		WithDelayFunc(func(failsafe.ExecutionAttempt[any]) time.Duration { return s.pause() }).
		Build()
	s.policies = failsafe.With[any](circuit, timeout.New[any](attempt))
	return s, nil
}

// pause returns how long to wait after a failure: doubling, and different for each of many sidecars that failed together.
func (s *Sender) pause() time.Duration {
	d := min(pause<<min(s.failures, 16), maxPause)
	s.failures++
	return d/2 + rand.N(d) // #nosec G404 -- it spreads attempts and protects nothing
}

// Run reports until ctx ends, and then what is left as far as that takes no more than two seconds. It returns nil.
func (s *Sender) Run(ctx context.Context) error {
	if err := s.spool.open(); err != nil {
		s.options.Logger.Warn().Err(err).Msg("reports of usage")
	}
	collect := time.NewTimer(s.interval())
	defer collect.Stop()
	deliver := time.NewTicker(pause)
	defer deliver.Stop()
	for {
		select {
		case <-ctx.Done():
			s.collect(time.Now())
			s.finish(ctx)
			return nil
		case now := <-collect.C:
			s.collect(now)
			s.deliverEvents(ctx, s.policies, s.spool.room/2)
			collect.Reset(s.interval())
		case now := <-deliver.C:
			s.watchEpoch(now)
			if s.options.Events.Waiting() >= manyEvents {
				s.deliverEvents(ctx, s.policies, s.spool.room/2)
			}
		}
		s.deliver(ctx, s.policies)
	}
}

// watchEpoch makes reports of what was counted in an epoch that has ended.
func (s *Sender) watchEpoch(now time.Time) {
	if e := s.options.Epoch(); e != s.epoch {
		if s.epoch != "" {
			s.collect(now)
			for s.collectEvents(now, s.spool.room) > 0 {
			}
			s.options.Events.Forget()
		}
		s.epoch = e
	}
}

// finish sends what is left, also if attempts failed a moment ago.
func (s *Sender) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flush)
	defer cancel()
	policies := failsafe.With[any](timeout.New[any](flush))
	s.deliver(ctx, policies)
	s.deliverEvents(ctx, policies, s.spool.room)
	s.tellLost()
	s.deliver(ctx, policies)
}

func (s *Sender) interval() time.Duration {
	return s.options.Interval*4/5 + rand.N(s.options.Interval*2/5) // #nosec G404 -- it spreads reports and protects nothing
}

const (
	// eventsAtOnce is how many bytes of events become a report, and eventsRoom how many that has.
	eventsAtOnce = 384 << 10
	eventsRoom   = usage.MaxBytes
	// manyEvents is how many do not wait for the next report.
	manyEvents = 4000
	// lossReport is how many bytes a report of losses alone has at most.
	lossReport = 4 << 10
)

// deliverEvents makes reports of the events that wait now, and sends them and what waits before. It stops when reports that wait have so many bytes. Events
// that come meanwhile are for the next time: else reports of a few events followed each other without end.
func (s *Sender) deliverEvents(ctx context.Context, policies failsafe.Executor[any], room int) {
	for left := s.options.Events.Waiting(); left > 0; {
		taken := s.collectEvents(time.Now(), room)
		if taken == 0 {
			return
		}
		left -= taken
		s.deliver(ctx, policies)
	}
}

// collect makes reports of what was counted since the last time, and of events, the lost ones among them.
func (s *Sender) collect(now time.Time) {
	r := newReport(s.options.Counts.Collect(), s.last, now)
	r.Lost = s.spool.takeLost()
	addLost(&r, s.options.Events.TakeLost())
	s.options.Fill(&r)
	s.last = now
	if s.spool.size+eventsRoom <= s.spool.room/2 {
		addEvents(&r, s.options.Events)
	}
	s.add(r)
}

// tellLost tells, when the process ends, what no report tells yet: events for which there is no room, and what was dropped since the last report.
func (s *Sender) tellLost() {
	if s.options.Events.Waiting() > 0 {
		s.options.Events.Discard()
	}
	s.spool.makeRoom(lossReport)
	now := time.Now().UTC()
	r := usage.Report{From: now, To: now, Lost: s.spool.takeLost()}
	addLost(&r, s.options.Events.TakeLost())
	s.add(r)
}

// collectEvents makes a report of events, unless reports that wait have so many bytes already: then events wait where they are, so that they
// never take the place of counts. It returns of how many.
func (s *Sender) collectEvents(now time.Time, room int) (taken int) {
	if s.options.Events.Waiting() == 0 || s.spool.size+eventsRoom > room {
		return 0
	}
	r := usage.Report{From: now.UTC(), To: now.UTC()}
	addEvents(&r, s.options.Events)
	taken = len(r.Exposures) + len(r.Outcomes)
	s.options.Fill(&r)
	s.add(r)
	return taken
}

// add numbers a report, in several parts if it is large, and lets it wait to be sent.
func (s *Sender) add(r usage.Report) {
	r.Boot, r.Epoch = s.options.Boot, cmp.Or(s.epoch, s.options.Epoch())
	if r.Empty() {
		return
	}
	parts, err := usage.Split(r)
	if err != nil {
		s.options.Logger.Error().Err(err).Msg("usage not reported")
		s.spool.drop(contentOf(&r))
		return
	}
	for _, part := range parts {
		s.sent++
		part.N = s.sent
		if err := s.spool.add(part); err != nil {
			s.options.Logger.Warn().Err(err).Msg("report of usage")
		}
	}
	s.metrics.note(s.spool)
}

// deliver sends what waits, the oldest first, until an attempt fails. A breaker sees to it that nothing is tried for a while then.
func (s *Sender) deliver(ctx context.Context, policies failsafe.Executor[any]) {
	for ctx.Err() == nil {
		w, data, ok := s.spool.next()
		if !ok {
			break
		}
		err := policies.WithContext(ctx).RunWithExecution(func(e failsafe.Execution[any]) error {
			return s.options.Send(e.Context(), w.boot, w.n, data)
		})
		if err != nil {
			s.failed(err)
			break
		}
		s.succeeded()
		s.spool.done()
		s.metrics.sent.Inc()
	}
	s.metrics.note(s.spool)
}

// failed logs why an attempt failed, unless one was logged not long ago. The reports wait meanwhile.
func (s *Sender) failed(err error) {
	now := time.Now()
	if errors.Is(err, circuitbreaker.ErrOpen) || !s.logged.IsZero() && now.Sub(s.logged) < quiet {
		return
	}
	s.failing, s.logged = true, now
	s.options.Logger.Warn().Err(err).Int("waiting", len(s.spool.reports)).Msg("usage not reported, trying again")
}

// succeeded tells that attempts do not fail any more.
func (s *Sender) succeeded() {
	s.failures = 0
	if s.failing {
		s.failing = false
		s.options.Logger.Info().Msg("usage is reported again")
	}
}
