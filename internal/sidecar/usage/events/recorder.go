package events

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/reload"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
)

// Room for what is not collected yet.
const (
	MaxExposures = 20_000
	MaxOutcomes  = 10_000
	// maxText is how many bytes the texts of outcomes have.
	maxText = 4 << 20
)

// ErrFull says that outcomes are not taken now, because those before them wait to be reported.
var ErrFull = errors.New("too many events wait to be reported: send these again later")

// Options configure a Recorder. Environment, Applications and Metrics are required.
type Options struct {
	// Environment is part of what subjects are hashed with.
	Environment string
	// Share is the share of subjects that is told of, more than 0 and at most 1. Which they are follows from their hash alone.
	Share float64
	// Rate is how many exposures are reported a minute in the long run, and how many outcomes; 0 means DefaultRate. Those with long names count
	// as several. An hour's share may come at once. What is beyond is lost.
	Rate int
	// Applications returns the name of an application as reports have it. It is called when events are collected.
	Applications func(counting.Application) string
	// KeyFile is the path of a file with the environment's key. It is read again when it changes. Without one, and without Key, there are no
	// exposures, and outcomes have no subject.
	KeyFile string
	// Key is used without a KeyFile.
	Key     exposurekey.Key
	Metrics prometheus.Registerer
	// Logger gets once that a flag asks for exposures and there is no key. It gets nothing of a subject.
	Logger zerolog.Logger
}

// Recorder keeps exposures and outcomes until they are collected. Create it with New. Nil keeps nothing.
type Recorder struct {
	options Options
	keyed   *reload.File[*keyed] // nil without a file
	fixed   *keyed               // without a file; nil without a key
	metrics metrics
	warned  atomic.Bool // that there is no key
	began   time.Time

	waiting atomic.Int64 // exposures, without a lock
	mu      sync.Mutex   // guards what follows

	exposureRate, outcomeRate allowance

	exposures []exposure
	versions  map[versionKey]*version
	outcomes  []outcome
	text      int // bytes of the texts of outcomes
	lost      Lost
}

// New returns a recorder. It is an error if the file with the key cannot be used.
func New(o Options) (*Recorder, error) {
	r := &Recorder{options: o, began: time.Now(), versions: make(map[versionKey]*version)}
	perMinute := cmp.Or(o.Rate, DefaultRate)
	r.exposureRate, r.outcomeRate = newAllowance(perMinute), newAllowance(perMinute)
	var err error
	if r.metrics, err = newMetrics(o.Metrics); err != nil {
		return nil, err
	}
	switch {
	case o.KeyFile != "":
		if r.keyed, err = openKey(o); err != nil {
			return nil, err
		}
	case o.Key != nil:
		r.fixed = newKeyed(o.Key, o.Environment)
	}
	return r, nil
}

// Run reads the key again when its file changes, until ctx ends. It returns nil.
func (r *Recorder) Run(ctx context.Context) error {
	if r.keyed == nil {
		<-ctx.Done()
		return nil
	}
	return r.keyed.Run(ctx)
}

// current returns the key that is in use, and what was told with it; nil without a key.
func (r *Recorder) current() *keyed {
	if r.keyed == nil {
		return r.fixed
	}
	return r.keyed.Current()
}

// Forget makes every exposure new again, as revisions of another epoch are.
func (r *Recorder) Forget() {
	if r == nil {
		return
	}
	if k := r.current(); k != nil {
		k.recent.Store(newRecent())
	}
}

// Exposed notes that a subject was given the variant of a result, which must have a flag and a variant and no error, unless that was noted
// within 24 hours. An empty subject is none. It does not keep the result, nor subject.
func (r *Recorder) Exposed(result *eval.Result, subject string, a counting.Application, now time.Time) {
	if r == nil || subject == "" {
		return
	}
	what := given{flag: result.Flag, variant: result.Variant, revision: result.Flag.Revision(), rule: result.Rule}
	r.note(what, subject, a, now)
}

// given is what a subject was given.
type given struct {
	flag     *eval.Flag
	variant  *eval.Variant
	revision uint64
	rule     uint16
}

// note notes an exposure that is new, and reports whether it is or was noted before.
func (r *Recorder) note(g given, subject string, a counting.Application, now time.Time) bool {
	k := r.current()
	if k == nil {
		r.missKey(g.flag.Key())
		return false
	}
	seen := k.recent.Load()
	pair, what, at := seen.pair(g.flag.Key(), subject), whatOf(g.revision, g.variant.Index()), now.Sub(r.began)
	if seen.told(pair, what, at) {
		return true
	}
	if r.waiting.Load() >= MaxExposures {
		r.loseExposure()
		return false
	}
	sum := k.hasher.Subject(subject)
	if !seen.tell(pair, what, at) || !r.chosen(&sum) {
		return true
	}
	if !r.keep(g, sum, a, now) {
		seen.forget(pair)
		return false
	}
	return true
}

// missKey tells that an exposure is dropped for want of a key.
func (r *Recorder) missKey(flag string) {
	r.metrics.noKey.Inc()
	if !r.warned.Load() && r.warned.CompareAndSwap(false, true) {
		r.options.Logger.Warn().Str("flag", flag).
			Msg("a flag asks for exposures and there is no key for them, so none are reported: give --exposure-key-file, or exposure.key in --credentials")
	}
}
