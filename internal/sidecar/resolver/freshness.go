package resolver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// These errors end a request that requires a revision.
var (
	// ErrOtherEpoch says that the required revision belongs to another history than the one that is served.
	ErrOtherEpoch = errors.New("the required revision belongs to another history")
	// ErrNotReached says that the required revision was not applied in time.
	ErrNotReached = errors.New("the required revision was not applied in time")
)

// freshness is how sure a request is that its view is the newest state. Its zero value is not at all.
type freshness struct {
	confirmed bool          // by a barrier of this request
	failed    bool          // a barrier of this request was tried and failed
	age       time.Duration // if known: everything that existed that long ago is in the view
	known     bool
}

// olderThan reports whether knowledge is older than limit, or of unknown age.
func (f *freshness) olderThan(limit time.Duration) bool { return !f.known || f.age > limit }

// freshen makes sure that q knows as much as is demanded, with one barrier at most, and then puts q on the newest view.
func (q *request) freshen(ctx context.Context) error {
	if err := q.awaitRevision(ctx); err != nil {
		return err
	}
	d := q.demand()
	if d.nothing() {
		return nil
	}
	if !d.barrier {
		q.readAge()
		d = q.demand() // the view may be another
	}
	switch {
	case d.barrier:
		q.confirm(ctx)
	case d.refreshAfter > 0 && q.freshness.olderThan(d.refreshAfter):
		q.resolver.wantRefresh()
	}
	return nil
}

// demand returns what q and the flags that are asked for demand.
func (q *request) demand() demand {
	var d demand
	if q.bulk {
		d = q.demandOfSelected()
		q.demanded = d
	} else {
		q.flag = q.rules.FlagBytes(q.flagKey)
		d = demandOf(q.flag)
	}
	d.barrier = d.barrier || q.fresh
	return d
}

// demandOfSelected looks at single flags only if there is a selection and any flag demands anything.
func (q *request) demandOfSelected() demand {
	all := q.resolver.summaryOf(q.rules).demand
	if all.nothing() || !q.selector.active {
		return all
	}
	return demandOfFlags(q.rules, &q.selector)
}

// awaitRevision waits until the required revision is in the view.
func (q *request) awaitRevision(ctx context.Context) error {
	if q.revision == (changelog.Token{}) || q.reached() {
		return nil
	}
	var err error
	if !q.otherEpoch() {
		err = q.wait(ctx)
	}
	switch served := q.view.Position(); {
	case q.reached() || q.lenient:
		return nil
	case q.otherEpoch():
		return fmt.Errorf("%w: %s is required, %s is served", ErrOtherEpoch, q.revision, served.Token())
	case err != nil:
		return fmt.Errorf("%w: %s is required: %w", ErrNotReached, q.revision, err)
	default:
		return fmt.Errorf("%w: %s is required", ErrNotReached, q.revision)
	}
}

// reached reports whether the required revision is in the view.
func (q *request) reached() bool {
	served := q.view.Position()
	return q.revision.In(served.Epoch) && q.revision.Revision <= served.Revision
}

// otherEpoch reports whether the view belongs to another history than the required revision. What never was in a log belongs to none.
func (q *request) otherEpoch() bool {
	served := q.view.Position()
	return !served.IsZero() && !q.revision.In(served.Epoch)
}

// patience returns how long q may wait, which is at most so long.
func (q *request) patience(most time.Duration) time.Duration {
	if q.until == 0 {
		return most
	}
	return min(most, time.Until(time.Unix(0, q.until)))
}

// wait waits for the required revision and renews the view.
func (q *request) wait(ctx context.Context) error {
	began := time.Now()
	most := q.resolver.deadline
	if q.lenient {
		most = min(most, pinPatience)
	}
	ctx, cancel := context.WithTimeout(ctx, q.patience(most))
	defer cancel()
	err := q.resolver.log.Wait(ctx, q.revision)
	q.waited = time.Since(began)
	q.refresh()
	return err
}

// confirm makes a barrier and renews the view. If it fails, the age is that of the knowledge that there is.
func (q *request) confirm(ctx context.Context) {
	if err := q.resolver.barrier(ctx, q.patience(q.resolver.deadline-q.waited), causeRequest); err != nil {
		q.readAge()
		q.freshness.failed = true
		return
	}
	q.freshness.confirmed = true
	q.refresh()
}

// readAge renews the view and notes how old the knowledge in it is at most: the age is read first, because the view may only be newer than
// what the age speaks of.
func (q *request) readAge() {
	q.freshness.age, q.freshness.known = q.resolver.log.Age()
	q.refresh()
}
