package resolver

import (
	"errors"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
)

// ErrNoEvents says that the sidecar reports no usage, so it takes no events.
var ErrNoEvents = errors.New("this sidecar reports no usage (--usage=false), so it takes no events")

// Exposed notes that the application was given a result of Answer, if the flag asks for that and there is a variant. It is for the face to call once it
// knows that the answer has the type that was asked for. For other flags it does nothing.
func (q *Request) Exposed(r *eval.Result) {
	if r.Flag == nil || !r.Flag.Exposures() || r.Variant == nil || r.ErrorCode != "" {
		return
	}
	q.resolver.events.Exposed(r, r.Flag.Subject(&q.context), q.application, q.now)
}

// Tell takes over events of an application with a name, which may be empty, and returns how many of them were accepted. It returns ErrNoEvents,
// events.ErrFull or events.ErrRate, and has taken none of them then.
func (r *Resolver) Tell(all []events.Event, application []byte) (accepted int, err error) {
	if r.events == nil {
		return 0, ErrNoEvents
	}
	var rules *eval.Ruleset
	if view := r.views.View(); view != nil {
		rules = view.Rules()
	}
	return r.events.Tell(all, rules, r.usage.Application(application), r.now())
}
