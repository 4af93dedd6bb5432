package answering

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/sidecar/preview"
	"github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/sync/changelog"
	wire "github.com/flagside/flagside/sync/preview"
)

const (
	// maxVerified is how many signatures are verified in a second at most.
	maxVerified = 20
	// expiry is how often it is looked whether anything that is remembered is too old.
	expiry = 10 * time.Second
)

// Options say who answers, and from what. All but Now and Rest are required.
type Options struct {
	// Environment is the one that is served, and Boot the id of the process.
	Environment, Boot string
	// Keyring decides which questions are believed.
	Keyring *changelog.Keyring
	// View returns what evaluations are answered from, nil before there is anything.
	View func() *cache.View
	// Ready reports whether applications may ask now.
	Ready func() bool
	// Reservoir has the evaluations of the last hour.
	Reservoir *preview.Reservoir
	// Application returns the name of an application, empty if it has none.
	Application func(usage.Application) string
	// Send sends an answer without waiting for anything.
	Send func(wire.Answer) error
	// Metrics gets the counters.
	Metrics prometheus.Registerer
	// Now reads the clock and Rest waits; nil means those of the time package.
	Now  func() time.Time
	Rest func(time.Duration)
}

// Answerer answers questions. Create it with New and run it once. Take is safe for concurrent use.
type Answerer struct {
	options   Options
	metrics   metrics
	questions chan wire.Question // one that waits
	budget    budget             // of Run

	mu       sync.Mutex // guards what follows
	answered map[string]time.Time
	second   int64 // in which verified counts
	verified int
}

// New returns an answerer.
func New(o Options) (*Answerer, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rest == nil {
		o.Rest = time.Sleep
	}
	m, err := newMetrics(o.Metrics, o.Reservoir)
	if err != nil {
		return nil, fmt.Errorf("preview metrics: %w", err)
	}
	return &Answerer{options: o, metrics: m, questions: make(chan wire.Question, 1), budget: newBudget(o.Now()), answered: make(map[string]time.Time)}, nil
}

// Take takes a question, with what is said to be its signature. It waits for nothing: a question that cannot be worked on now is refused, and one that
// no publisher can have asked of this process is dropped. One that is of another time is refused, because a clock may be wrong.
func (a *Answerer) Take(data []byte, signature changelog.Signature) {
	now := a.options.Now()
	q, why := a.accept(data, signature, now)
	switch why {
	case "":
		select {
		case a.questions <- q:
		default:
			a.refuse(&q, wire.RefusedBusy)
		}
	case outcomeExpired:
		a.send(&q, wire.Answer{Refused: wire.RefusedClock, AheadMs: now.Sub(q.Time).Milliseconds()}, why)
	default:
		a.metrics.ended(why)
	}
}

// accept returns a question, and why it is not worked on.
func (a *Answerer) accept(data []byte, signature changelog.Signature, now time.Time) (wire.Question, outcome) {
	if !a.mayVerify(now) {
		return wire.Question{}, outcomeFlood
	}
	q, err := wire.ReadQuestion(a.options.Keyring, a.options.Environment, data, signature)
	switch {
	case errors.Is(err, changelog.ErrUnsigned):
		return q, outcomeUnsigned
	case err != nil:
		return q, outcomeMalformed
	case !slices.Contains(q.To, a.options.Boot):
		return q, outcomeElsewhere
	case !a.isNew(q.ID, now):
		return q, outcomeReplayed
	case now.Sub(q.Time).Abs() > wire.Validity:
		return q, outcomeExpired
	}
	return q, ""
}

// mayVerify bounds what those can cost who send what no publisher has signed.
func (a *Answerer) mayVerify(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if second := now.Unix(); second != a.second {
		a.second, a.verified = second, 0
	}
	a.verified++
	return a.verified <= maxVerified
}

// isNew reports whether a question comes for the first time, as long as its time would let it come again.
func (a *Answerer) isNew(id string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for known, at := range a.answered {
		if now.Sub(at).Abs() > 2*wire.Validity+time.Second {
			delete(a.answered, known)
		}
	}
	if _, known := a.answered[id]; known {
		return false
	}
	a.answered[id] = now
	return true
}

// Run answers questions until ctx ends. Then it overwrites what is remembered, and returns nil.
func (a *Answerer) Run(ctx context.Context) error {
	var expiring sync.WaitGroup
	defer func() {
		expiring.Wait()
		a.options.Reservoir.Wipe()
	}()
	expiring.Go(func() {
		_ = lifecycle.Every(ctx, expiry, func(context.Context) { a.options.Reservoir.Expire() }) // always nil
	})
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-a.questions:
			a.answer(ctx, &q)
		}
	}
}

// answer answers a question or refuses it.
func (a *Answerer) answer(ctx context.Context, q *wire.Question) {
	if !a.budget.begin(a.options.Now()) {
		a.refuse(q, wire.RefusedBusy)
		return
	}
	view := a.options.View()
	if view == nil || !a.options.Ready() {
		a.refuse(q, wire.RefusedNotReady)
		return
	}
	switch at := view.Position(); {
	case at.Epoch != q.Base.Epoch:
		a.refuse(q, wire.RefusedEpoch)
		return
	case at.Revision < q.Base.Revision:
		a.refuse(q, wire.RefusedBehind)
		return
	}
	w := newWork(a.options.Now, a.options.Rest)
	answer, err := a.evaluate(ctx, view, q, w)
	a.budget.spend(w.all())
	if err != nil {
		a.refuse(q, wire.RefusedInvalid)
		return
	}
	a.send(q, answer, outcomeAnswered)
}

func (a *Answerer) refuse(q *wire.Question, why wire.Refusal) {
	a.send(q, wire.Answer{Refused: why}, outcome(why))
}

func (a *Answerer) send(q *wire.Question, answer wire.Answer, how outcome) {
	answer.ID, answer.Boot = q.ID, a.options.Boot
	if err := a.options.Send(answer); err != nil {
		how = outcomeUnsent
	}
	a.metrics.ended(how)
}

// evaluate returns what would come of the evaluations that are remembered. The error says that the documents do not compile.
func (a *Answerer) evaluate(ctx context.Context, view *cache.View, q *wire.Question, w *work) (answer wire.Answer, err error) {
	defer func() {
		if v := recover(); v != nil { // a change that cannot even be tried is not to be made
			err = errors.New("the evaluation of the change failed")
		}
	}()
	c, err := newComparison(view, q)
	if err != nil {
		return answer, err
	}
	w.start()
	flags, sets := c.wanted()
	all, since := a.options.Reservoir.About(flags, sets)
	now := a.options.Now()
	answer.SinceMs = max(now.Sub(since).Milliseconds(), 0)
	answer.Applications = a.applications(all)
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) // #nosec G404 -- it makes numbers that are told a little wrong
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	c.weigh(all)
	for i := range all {
		if answer.Partial = !c.sample(ctx, &all[i], now, w); answer.Partial {
			break
		}
	}
	a.metrics.evaluations.Add(float64(c.evaluations))
	answer.Flags = c.flags(random)
	return answer, nil
}

// applications returns the names of those who asked.
func (a *Answerer) applications(all []preview.Remembered) (names []string) {
	asked := make(map[usage.Application]bool)
	for i := range all {
		asked[all[i].Application] = true
	}
	for one := range asked {
		if name := a.options.Application(one); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), wire.MaxApplications)]
}
