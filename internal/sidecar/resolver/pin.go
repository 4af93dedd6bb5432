package resolver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// ErrPinGone says that the revision that a request insists on is not kept, or not applied yet.
var ErrPinGone = errors.New("the revision that the request is pinned to is not kept here")

// pinPatience is how long a request waits for the revision that it is pinned to, which another sidecar had already.
const pinPatience = 50 * time.Millisecond

// Past gives views before the newest.
type Past interface {
	// At returns the view that shows exactly one revision, nil if there is none.
	At(changelog.Token) *cache.View
}

// pin is the revision that a request is to be answered from. The zero value is none.
type pin struct {
	revision changelog.Token
	strict   bool          // no answer rather than another revision
	lenient  bool          // it comes from baggage, which visitors can write: it refuses nothing
	gone     bool          // it is answered from the newest view all the same
	newest   *eval.Ruleset // what flags that are urgent are answered from; nil if nothing is pinned
}

func (p *pin) wanted() bool { return p.revision != (changelog.Token{}) }

// parsePin reads the values of the two headers. Empty values pin nothing.
func parsePin(revision, mode []byte) (p pin, err error) {
	if len(revision) > 0 {
		if p.revision, err = changelog.ParseToken(string(revision)); err != nil {
			return pin{}, fmt.Errorf("%w: %s: %w", ErrRequirement, HeaderPin, err)
		}
	}
	switch string(mode) {
	case "":
	case pinStrict:
		p.strict = true
	default:
		return pin{}, fmt.Errorf("%w: %s: the only value is %s", ErrRequirement, HeaderPinMode, pinStrict)
	}
	return p, nil
}

// goBack puts q on the view that it is pinned to, once it knows what is demanded. Without that view it stays on the newest.
func (q *request) goBack(ctx context.Context) error {
	if !q.pin.wanted() {
		return nil
	}
	if q.pin.revision.Epoch == q.revision.Epoch && q.pin.revision.Revision < q.revision.Revision {
		if q.pin.lenient || q.lenient {
			q.pin = pin{}
			return nil
		}
		return fmt.Errorf("%w: it is pinned to %s and demands %s at least", ErrRequirement, q.pin.revision, q.revision)
	}
	before := q.resolver.past.At(q.pin.revision)
	if before == nil && q.mayCome() {
		before = q.awaitPin(ctx)
	}
	q.refresh() // the newest is no older than what was found, which may have become it in the meantime
	switch {
	case before == q.view:
		q.pin = pin{} // it is the newest
	case before != nil:
		q.pin.newest = q.rules
		q.view, q.rules = before, before.Rules()
	case q.pin.strict && !q.pin.lenient:
		return fmt.Errorf("%w: %s; %s is served", ErrPinGone, q.pin.revision, q.view.Position().Token())
	default:
		q.pin.gone = true
	}
	return nil
}

// mayCome reports whether the revision that q is pinned to is a later one of the history that is served.
func (q *request) mayCome() bool {
	served := q.view.Position()
	return q.pin.revision.In(served.Epoch) && q.pin.revision.Revision > served.Revision
}

// awaitPin waits a moment for a revision that is not applied yet.
func (q *request) awaitPin(ctx context.Context) *cache.View {
	most := min(pinPatience, q.resolver.deadline)
	if q.lenient {
		most -= q.waited // what baggage demands is waited for once
	}
	ctx, cancel := context.WithTimeout(ctx, q.patience(most))
	defer cancel()
	_ = q.resolver.log.Wait(ctx, q.pin.revision) // what matters is whether it is there
	return q.resolver.past.At(q.pin.revision)
}

// pinned returns the flag with the key that q is answered from, nil if there is none. An urgent one is never an old one: a pin would bring back
// what it has switched off.
func (q *request) pinned(old, newest *eval.Flag) *eval.Flag {
	if old != nil && old.Urgent() || newest != nil && newest.Urgent() {
		return newest
	}
	return old
}

// The member that tells that a request was not answered from the revision that it is pinned to.
const memberPinGone = `"pinnedRevisionGone":true`

// appendPinGone returns metadata that say so, if it is so.
func (q *request) appendPinGone(metadata []byte) []byte {
	if !q.pin.gone {
		return metadata
	}
	start := len(q.metadata)
	b := append(q.metadata, metadata[:len(metadata)-1]...)
	b = append(appendComma(b), memberPinGone...)
	q.metadata = append(b, '}')
	return q.metadata[start:len(q.metadata):len(q.metadata)]
}

// noPast is that of a resolver without one.
type noPast struct{ views Views }

// At implements Past.
func (p noPast) At(t changelog.Token) *cache.View {
	v := p.views.View()
	if v == nil || v.Position().Revision != t.Revision || !t.In(v.Position().Epoch) {
		return nil
	}
	return v
}
