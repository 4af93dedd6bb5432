package following

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

const (
	// look is how often it is looked whether the environment has changed.
	look = time.Second
	// retry is how long it rests before the same is tried again, where nothing tells that it may go better.
	retry = 2 * time.Second
	// refusedRetry is that of what policies do not permit.
	refusedRetry = time.Minute
	// keptDigests is how many versions a Follower remembers to have read.
	keptDigests = 1000
)

// Options say what is followed. All but Sole, Kubernetes, and Logger are required.
type Options struct {
	Spec Spec
	// Control returns what reads and changes the environment.
	Control func(ctx context.Context, environment string) (*control.Service, error)
	// Sole says that no other publisher can follow the source.
	Sole bool
	// Kubernetes says where the API server is; it is required for a namespace.
	Kubernetes kubernetes.Options
	// Logger gets each change of the state.
	Logger zerolog.Logger
}

// Follower follows one source. Create it with New.
type Follower struct {
	options  Options
	name     string
	reader   reader
	logger   zerolog.Logger
	notified chan struct{} // of one: the source may have changed

	// What follows is of the goroutine of Run.
	last    string          // the digest that was read last
	changed bool            // since it was taken up
	before  map[string]bool // digests that were read
	seen    seen
	retryAt time.Time // zero if nothing is to be tried again by itself

	mu     sync.Mutex
	status Status // guarded by mu
}

// seen is what of an environment was known at the last look.
type seen struct {
	service  *control.Service
	revision uint64
	ledger   uint64
}

// New returns a follower of a source. It starts nothing.
func New(o Options) (*Follower, error) {
	f := &Follower{
		options: o, name: o.Spec.Name(), notified: make(chan struct{}, 1), before: make(map[string]bool),
		logger: o.Logger.With().Str("environment", o.Spec.Environment).Str("source", o.Spec.Name()).Logger(),
		status: Status{Spec: o.Spec, State: Starting, Since: time.Now()},
	}
	if o.Spec.Namespace == "" {
		f.reader = files{o.Spec.Path}
		return f, nil
	}
	objects, err := newObjects(o.Spec.Namespace, o.Kubernetes, f.logger)
	f.reader = objects
	return f, err
}

// Status says how the source is followed.
func (f *Follower) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Run follows the source until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed error
	wg.Go(func() {
		if failed = f.reader.Run(ctx, f.notify); failed != nil {
			cancel()
		}
	})
	regular := time.NewTicker(look)
	defer regular.Stop()
	for {
		select {
		case <-ctx.Done():
			wg.Wait()
			return failed
		case <-f.notified:
			f.follow(ctx)
		case <-regular.C:
			if f.due(ctx) {
				f.follow(ctx)
			}
		}
	}
}

// notify tells Run that the source may have changed.
func (f *Follower) notify() {
	select {
	case f.notified <- struct{}{}:
	default:
	}
}

// due reports whether the environment has changed since the last look, as far as is known here, or something is to be tried again.
func (f *Follower) due(ctx context.Context) bool {
	if !f.retryAt.IsZero() && !time.Now().Before(f.retryAt) {
		return true
	}
	now := f.look(ctx)
	if f.Status().State == Refused { // each try of which may be recorded in the ledger
		now.ledger = f.seen.ledger
	}
	return now.service != nil && now != f.seen
}

// look returns what of the environment is known, without asking the log.
func (f *Follower) look(ctx context.Context) (now seen) {
	service, err := f.options.Control(ctx, f.options.Spec.Environment)
	if err != nil {
		return now
	}
	now.service, now.ledger = service, service.KnownLedgerEnd()
	if state, err := service.Known(); err == nil {
		now.revision = state.Position().Revision
	}
	return now
}

// follow makes the environment what the source says, as far as that goes now.
func (f *Follower) follow(ctx context.Context) {
	w, before := &work{Follower: f, documents: maxDocuments, bytes: maxBytes}, f.look(ctx)
	now, err := w.carryOut(ctx)
	if ctx.Err() != nil {
		return
	}
	w.outcome.Status = now
	if err != nil {
		w.outcome.Status = w.failed(err)
	}
	f.seen = before
	if w.state != nil {
		f.seen.revision = w.state.Position().Revision // which is what the last plan was made from
	}
	f.retryAt = time.Time{}
	switch w.outcome.State {
	case Delayed, Missing, Behind:
		f.retryAt = time.Now().Add(retry)
	case Refused:
		f.retryAt = time.Now().Add(refusedRetry)
	case Starting, Applied, Waiting, Broken, Conflict:
	}
	w.outcome.Status = f.note(w.outcome.Status)
	f.reader.Tell(w.outcome)
}

// note keeps a status, and logs it if it is another one.
func (f *Follower) note(now Status) Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.status
	now.Spec, now.Since = f.options.Spec, before.Since
	if now.State != before.State {
		now.Since = time.Now()
	}
	if now.Applied.IsZero() {
		now.Applied = before.Applied
	}
	f.status = now
	if now.sameState(before) && now.Version == before.Version {
		return now
	}
	f.logger.WithLevel(now.State.level()).Str("state", string(now.State)).Str("version", now.Version).Int("owned", now.Owned).
		Str("request", now.Request).Str("detail", now.Detail).Msg("source followed")
	return now
}

// origin is where the changes of the source come from.
func (f *Follower) origin(version string) decide.Origin {
	return decide.Origin{
		Principal: access.Principal{ID: f.name, Name: "source " + f.options.Spec.Place(), Kind: access.KindSource, Groups: []string{access.RoleSource}},
		Reason:    "version " + version,
	}
}

// remember keeps that a version was read, and whether the source has changed to it.
func (f *Follower) remember(digest string) {
	if digest != f.last {
		f.last, f.changed = digest, true
	}
}

// judged keeps that it was decided what to do with a version.
func (f *Follower) judged(digest string) {
	if len(f.before) >= keptDigests {
		clear(f.before)
	}
	f.before[digest] = true
}

// errMoved means that the environment has changed since it was planned.
var errMoved = errors.New("the environment was changed meanwhile")
