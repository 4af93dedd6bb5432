package resolver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// These errors end a request that requires a revision.
var (
	// ErrOtherEpoch says that the required revision belongs to another history than the one that is served.
	ErrOtherEpoch = errors.New("the required revision belongs to another history")
	// ErrNotReached says that the required revision was not applied in time.
	ErrNotReached = errors.New("the required revision was not applied in time")
)

// knowledge is how sure a request is that its view is the newest state. Its zero value is not at all.
type knowledge struct {
	confirmed bool          // by a barrier of this request
	failed    bool          // a barrier of this request was tried and failed
	age       time.Duration // if known: everything that existed that long ago is in the view
	known     bool
}

// olderThan reports whether knowledge is older than limit, or of unknown age.
func (k *knowledge) olderThan(limit time.Duration) bool { return !k.known || k.age > limit }

// Require adds to what flags demand: the answers of q must rest on the revision at least, unless it is zero, and be as fresh as freshness
// says, if that is more than the flag asks for. It comes before Freshen.
func (q *Request) Require(revision changelog.Token, freshness eval.Freshness) {
	q.revision = revision
	q.fresh = freshness == eval.FreshnessAlwaysFresh
}

// Freshen makes sure that q knows as much as the flag with the key and the requirements demand, and then puts q on the newest view. It
// waits for the log as long as the deadline of the resolver allows, but only if it has to. It comes after Begin, Require and Select, and
// before SetContext.
//
// That the log cannot be asked is no error: Evaluate gives the answer that the flag has for that case. Errors wrap ErrOtherEpoch or
// ErrNotReached; then there is no answer, and q can only End.
func (q *Request) Freshen(ctx context.Context, key []byte) error {
	return q.freshen(ctx, scope{key: key})
}

// FreshenAll is Freshen for all flags that are selected, with one barrier at most.
func (q *Request) FreshenAll(ctx context.Context) error {
	q.bulk = true
	return q.freshen(ctx, scope{all: true})
}

// scope says which flags are asked for: one, or all that are selected.
type scope struct {
	key []byte
	all bool
}

func (q *Request) freshen(ctx context.Context, s scope) error {
	if err := q.reach(ctx); err != nil {
		return err
	}
	n := q.need(s)
	if n.nothing() {
		return nil
	}
	if !n.barrier {
		q.look()
		n = q.need(s) // the view may be another
	}
	switch {
	case n.barrier:
		q.confirm(ctx)
	case n.refreshAfter > 0 && q.knowledge.olderThan(n.refreshAfter):
		q.resolver.wantRefresh()
	}
	return nil
}

// need returns what q and the flags that are asked for demand.
func (q *Request) need(s scope) need {
	var n need
	if s.all {
		n = q.needOfSelected()
		q.demanded = n
	} else {
		q.asked = q.rules.FlagBytes(s.key)
		n = needOf(q.asked)
	}
	n.barrier = n.barrier || q.fresh
	return n
}

// needOfSelected looks at single flags only if there is a selection and any flag demands anything.
func (q *Request) needOfSelected() need {
	all := q.resolver.overviewOf(q.rules).need
	if all.nothing() || !q.selector.active {
		return all
	}
	return needOfFlags(q.rules, &q.selector)
}

// reach waits until the required revision is in the view.
func (q *Request) reach(ctx context.Context) error {
	if q.revision == (changelog.Token{}) || q.reached() {
		return nil
	}
	var err error
	if !q.elsewhere() {
		err = q.wait(ctx)
	}
	switch served := q.view.Position(); {
	case q.reached():
		return nil
	case q.elsewhere():
		return fmt.Errorf("%w: %s is required, %s is served", ErrOtherEpoch, q.revision, served.Token())
	case err != nil:
		return fmt.Errorf("%w: %s is required: %w", ErrNotReached, q.revision, err)
	default:
		return fmt.Errorf("%w: %s is required", ErrNotReached, q.revision)
	}
}

// reached reports whether the required revision is in the view.
func (q *Request) reached() bool {
	served := q.view.Position()
	return q.revision.In(served.Epoch) && q.revision.Revision <= served.Revision
}

// elsewhere reports whether the view belongs to another history than the required revision. What never was in a log belongs to none.
func (q *Request) elsewhere() bool {
	served := q.view.Position()
	return !served.IsZero() && !q.revision.In(served.Epoch)
}

// wait waits for the required revision and renews the view.
func (q *Request) wait(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, q.resolver.deadline)
	defer cancel()
	err := q.resolver.log.Wait(ctx, q.revision)
	q.waited = time.Since(began)
	q.renew()
	return err
}

// confirm makes a barrier and renews the view. If it fails, the age is that of the knowledge that there is.
func (q *Request) confirm(ctx context.Context) {
	if err := q.resolver.barrier(ctx, q.resolver.deadline-q.waited, causeRequest); err != nil {
		q.look()
		q.knowledge.failed = true
		return
	}
	q.knowledge.confirmed = true
	q.renew()
}

// look renews the view and notes how old the knowledge in it is at most: the age is read first, because the view may only be newer than
// what the age speaks of.
func (q *Request) look() {
	q.knowledge.age, q.knowledge.known = q.resolver.log.Age()
	q.renew()
}
