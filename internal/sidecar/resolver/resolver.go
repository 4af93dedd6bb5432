// Package resolver is the one path behind every face of a sidecar: it takes the current view, makes it as fresh as the flag and the
// request demand, enriches and decodes the evaluation context, evaluates and counts. A face translates a protocol to and from it: it begins a
// request with what the headers say, and asks for the answer about one flag or about all.
//
// # Concurrency properties
//
// A [Resolver] is safe for concurrent use; Run may be called only once. A [Request] or [BulkRequest] belongs to one goroutine.
package resolver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/preview"
	"github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
)

// ErrNotReady says that no complete set of flags is known yet.
var ErrNotReady = errors.New("no complete set of flags is loaded yet")

// Views gives the newest complete state of the environment, nil before the first.
type Views interface {
	View() *cache.View
}

// DefaultDeadline is how long a request waits for fresher knowledge unless the options say otherwise.
const DefaultDeadline = time.Second

// DefaultAnswersMemory is how many bytes of bulk answers are remembered unless the options say otherwise.
const DefaultAnswersMemory = 4 << 20

// Options configure a Resolver.
type Options struct {
	// Views gives what is answered from. It is required.
	Views Views
	// Past gives views before the newest; nil keeps none.
	Past Past
	// Baggage has requests take over the revisions that their baggage names. Visitors can write it.
	Baggage bool
	// Log is asked for fresher knowledge. Nil means that no log is followed, so that nothing can ever be confirmed.
	Log Log
	// EstimatedAge returns how long ago knowledge was complete for the last time before this process, for when Log does not know an age. It is
	// shown in answers and decides nothing. It takes no lock. Nil knows no estimate.
	EstimatedAge func() (age time.Duration, known bool)
	// Now reads the clock; nil means time.Now.
	Now func() time.Time
	// Deadline is how long a request waits, all in all, for a minimum revision and for a barrier; 0 means DefaultDeadline.
	Deadline time.Duration
	// Timeout is how long the flags of one request are evaluated at most; 0 means DefaultTimeout.
	Timeout time.Duration
	// AnswersMemory is how many bytes of bulk answers are remembered at most while Run runs; 0 means DefaultAnswersMemory, a negative
	// number none.
	AnswersMemory int64
	// Enrichment is what evaluation contexts get beside what requests say; the zero value is nothing.
	Enrichment Enrichment
	// Usage counts the evaluations by flag; nil counts nothing.
	Usage *usage.Counts
	// Events keeps exposures and outcomes; nil keeps none.
	Events *events.Recorder
	// Reservoir remembers some evaluations with their contexts; nil remembers none.
	Reservoir *preview.Reservoir
	// Metrics gets the counters. It is required.
	Metrics prometheus.Registerer
	// MetricsPerFlag is how many flags have a counter of their own; 0 is none, and then nothing is counted per flag.
	MetricsPerFlag int
	// Logger gets a line about every request at the level debug, and nothing else. Its zero value logs nothing.
	Logger zerolog.Logger
}

// Resolver answers evaluations from the newest view.
type Resolver struct {
	views      Views
	past       Past
	baggage    bool
	log        Log
	estimate   func() (age time.Duration, known bool)
	now        func() time.Time
	deadline   time.Duration
	timeout    time.Duration
	ended      interruptions
	counts     counts
	usage      *usage.Counts
	events     *events.Recorder
	reservoir  *preview.Reservoir // nil if nothing is remembered
	proven     atomic.Bool
	summary    atomic.Pointer[rulesetSummary] // of the last ruleset that was asked for all flags
	answers    *cache.Answers[remembered]
	layouts    atomic.Pointer[layouts]
	layoutsMu  sync.Mutex // held while layouts are replaced
	cacheOff   bool       // no answers are remembered
	buildID    string     // see buildID
	nonce      [16]byte   // tells the process from others
	attributes []attribute
	perFlag    *perFlag // nil if evaluations are not counted per flag
	logger     zerolog.Logger
	verbose    bool // requests are logged

	began     time.Time
	confirmed atomic.Int64  // see since
	refresh   chan struct{} // tells Run that knowledge is older than a flag wants it
}

// New returns a resolver that answers at once. Knowledge is refreshed in the background while Run runs.
func New(o Options) (*Resolver, error) {
	if o.Past == nil {
		o.Past = noPast{o.Views}
	}
	if o.Log == nil {
		o.Log = noLog{}
	}
	if o.EstimatedAge == nil {
		o.EstimatedAge = func() (time.Duration, bool) { return 0, false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Deadline == 0 {
		o.Deadline = DefaultDeadline
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.AnswersMemory == 0 {
		o.AnswersMemory = DefaultAnswersMemory
	}
	if err := o.Enrichment.Validate(); err != nil {
		return nil, err
	}
	counts, err := newCounts(o.Metrics)
	if err != nil {
		return nil, err
	}
	ended, err := newInterruptions(o.Metrics)
	if err != nil {
		return nil, err
	}
	var single *perFlag
	if o.MetricsPerFlag > 0 {
		single = newPerFlag(o.Views, o.MetricsPerFlag)
		if err := o.Metrics.Register(single); err != nil {
			return nil, fmt.Errorf("metrics per flag: %w", err)
		}
	}
	r := &Resolver{
		views:      o.Views,
		past:       o.Past,
		baggage:    o.Baggage,
		log:        o.Log,
		estimate:   o.EstimatedAge,
		now:        o.Now,
		deadline:   o.Deadline,
		timeout:    o.Timeout,
		ended:      ended,
		counts:     counts,
		usage:      o.Usage,
		events:     o.Events,
		reservoir:  o.Reservoir,
		answers:    cache.NewAnswers[remembered](o.AnswersMemory),
		cacheOff:   o.AnswersMemory < 0,
		attributes: newAttributes(o.Enrichment),
		perFlag:    single,
		logger:     o.Logger,
		verbose:    verbose(o.Logger),
		began:      o.Now(),
		refresh:    make(chan struct{}, 1),
	}
	_, _ = rand.Read(r.nonce[:]) // it never fails
	if r.buildID, err = buildID(); err != nil {
		r.buildID = string(r.nonce[:]) // no other process recognises its answers
	}
	return r, nil
}

// verbose reports whether the logger writes lines of the level debug.
func verbose(logger zerolog.Logger) bool {
	event := logger.Debug()
	enabled := event.Enabled()
	event.Discard().Send()
	return enabled
}

// Run remembers answers and refreshes knowledge behind them until ctx ends. It returns nil once all that it started is gone, or at once an
// error if there is no memory for answers.
func (r *Resolver) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var refreshing sync.WaitGroup
	defer refreshing.Wait()
	refreshing.Go(func() { r.refreshOnDemand(ctx) })
	err := r.answers.Run(ctx)
	cancel()
	return err
}

// Ready returns nil once a complete set of flags is known and an evaluation of it has run, otherwise the reason why evaluations
// cannot be answered. The trial evaluation is not counted.
func (r *Resolver) Ready() error {
	if r.proven.Load() {
		return nil
	}
	view := r.views.View()
	if view == nil {
		return ErrNotReady
	}
	if err := try(view.Rules(), r.now()); err != nil {
		return err
	}
	r.proven.Store(true)
	return nil
}

// try evaluates a flag, if there is one.
func try(rules *eval.Ruleset, now time.Time) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the trial evaluation failed: %v", v)
		}
	}()
	var c eval.Context
	if err := rules.DecodeContext(&c, nil); err != nil {
		return fmt.Errorf("the trial evaluation failed: %w", err)
	}
	if flag := rules.Sample(); flag != nil {
		flag.Try(&c, now)
	}
	return nil
}

// Fail counts a request that was not answered.
func (r *Resolver) Fail(code eval.ErrorCode) { r.counts.failure(code) }
