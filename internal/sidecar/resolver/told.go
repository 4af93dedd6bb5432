package resolver

import (
	"errors"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// ErrNotCounting says that a sidecar counts nothing.
var ErrNotCounting = errors.New("this sidecar counts no evaluations: it was started with --usage=false")

// Told is how often a client that evaluates by itself had an answer about a flag.
type Told struct {
	Flag    string
	Variant string // empty if the application's own default applied
	Reason  eval.Reason
	Code    eval.ErrorCode // empty unless it failed
	N       uint64
}

// Count counts what a client tells that evaluates by itself, under the name of its application; an empty one is that of the sidecar. client is
// an id that it has chosen: while it tells something once a minute, its evaluations are not called unknown. What it says is counted for the
// version of each flag that is the newest here, and a variant that this one does not have as none. Without a complete set of flags it fails with
// ErrNotReady, and where nothing is counted at all with ErrNotCounting.
func (r *Resolver) Count(client string, application []byte, all []Told) error {
	if r.usage == nil {
		return ErrNotCounting
	}
	view := r.views.View()
	if view == nil {
		return ErrNotReady
	}
	by := r.usage.Application(application)
	for i := range all {
		told := &all[i]
		flag := view.Rules().Flag(told.Flag)
		if flag == nil {
			r.usage.NotFoundBy([]byte(told.Flag), told.N)
			continue
		}
		result := eval.Result{Flag: flag, Variant: flag.Variant(told.Variant), Reason: told.Reason, ErrorCode: told.Code}
		r.usage.Evaluations(&result, usage.OutcomeOf(&result), by, told.N)
	}
	r.usage.Told(client, r.now())
	return nil
}
