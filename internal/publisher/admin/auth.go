package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/session"
)

// What the metadata of operations say about their callers.
const (
	// need is what a caller must be permitted before an operation looks at anything.
	need = "need"
	// mustAuthenticate says that the operation is for no one without credentials, although it only needs access.Read.
	mustAuthenticate = "authenticate"
)

// no one is the principal of requests without credentials where anybody may read.
func nobody() access.Principal { return access.Principal{} }

// callerKey is the key of the principal in the context of a request.
type callerKey struct{}

// caller returns who makes a request: no one if it was let through without credentials.
func caller(ctx context.Context) access.Principal {
	p, _ := ctx.Value(callerKey{}).(access.Principal)
	return p
}

// authenticate finds out who makes a request, and refuses what they are not permitted before anything else of the request is read.
func (s *server) authenticate(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	principal, err := s.options.Authenticator.Authenticate(r)
	if errors.Is(err, access.ErrNoCredentials) && s.options.AnonymousReads && isRead(ctx.Operation()) {
		next(huma.WithValue(ctx, callerKey{}, nobody()))
		return
	}
	if err != nil {
		s.refuseUnauthenticated(ctx, r, err)
		return
	}
	ctx = huma.WithValue(ctx, callerKey{}, principal)
	if s.options.Sessions != nil {
		ctx = huma.WithValue(ctx, sessionKey{}, s.options.Sessions.Current(r))
	}
	if p := s.refusedBefore(ctx, principal); p != nil {
		answerProblem(ctx, p)
		return
	}
	if administers(ctx.Operation()) {
		if principal, err = s.options.People.Identify(ctx.Context(), principal); err != nil {
			answerProblem(ctx, s.problem(err))
			return
		}
		ctx = huma.WithValue(ctx, callerKey{}, principal)
	}
	next(ctx)
}

// administers reports whether an operation records its caller by itself, once it is permitted. All others leave that to control.
func administers(op *huma.Operation) bool {
	action, asked := op.Metadata[need].(access.Action)
	return asked && action != access.Read && op.Method != http.MethodGet
}

// isRead reports whether an operation only shows what an environment has.
func isRead(op *huma.Operation) bool {
	return op.Metadata[need] == access.Read && op.Metadata[mustAuthenticate] != true
}

func (s *server) refuseUnauthenticated(ctx huma.Context, r *http.Request, err error) {
	p := s.unauthenticated(r, err)
	if p.Status == http.StatusUnauthorized {
		if service, err := s.options.Environments.Control(ctx.Context(), ctx.Param("environment")); err == nil {
			service.CountUnauthenticated()
		}
	}
	answerProblem(ctx, p)
}

// answerProblem answers before an operation is reached.
func answerProblem(ctx huma.Context, p *problem) {
	p.forManifest(ctx.Operation())
	for name := range p.headers {
		ctx.SetHeader(name, p.headers.Get(name))
	}
	ctx.SetHeader("Content-Type", p.ContentType(""))
	ctx.SetStatus(p.Status)
	_ = json.MarshalWrite(ctx.BodyWriter(), p) // fails only when the client is gone
}

// unauthenticated returns what to answer to a request that was not authenticated.
func (s *server) unauthenticated(r *http.Request, err error) *problem {
	if errors.Is(err, session.ErrMediaType) {
		return newProblem(http.StatusUnsupportedMediaType, api.ProblemMediaType, capitalised(err.Error()))
	}
	if errors.Is(err, access.ErrUnavailable) {
		s.options.Repeats.Line(zerolog.WarnLevel, "unavailable", func(e *zerolog.Event) { e.Err(err).Msg("caller not identified") })
		return newProblem(http.StatusServiceUnavailable, api.ProblemUnavailable, "It cannot be verified now who you are: ask again.").later()
	}
	p := newProblem(http.StatusUnauthorized, api.ProblemUnauthenticated, capitalised(err.Error()))
	p.headers = http.Header{"Www-Authenticate": {`Bearer realm="flagside"`}}
	if errors.Is(err, session.ErrEnded) {
		p.headers.Set("Set-Cookie", s.options.Sessions.Forget(r))
	}
	return p
}

// refusedBefore returns why the operation is refused to a principal whatever else it says, or nil. Everything below an environment is for
// those who may read there: other answers tell what it has.
func (s *server) refusedBefore(ctx huma.Context, principal access.Principal) *problem {
	action, asked := ctx.Operation().Metadata[need].(access.Action)
	environment := ctx.Param("environment")
	if environment != "" && action != access.Read {
		read := access.Question{Principal: principal, Action: access.Read, Resource: s.resource(ctx.Context(), environment)}
		if p := s.refusedTo(ctx.Context(), read); p != nil {
			return p
		}
	}
	if !asked || action == access.Read && environment == "" { // a list has what may be read
		return nil
	}
	question := access.Question{
		Principal: principal, Action: action, Resource: s.resource(ctx.Context(), environment),
	}
	question.Circumstances.BreakGlass = breaksGlass(ctx.Header("Flagside-Break-Glass") == "true", ctx.Header("Flagside-Reason"))
	return s.refusedTo(ctx.Context(), question)
}

// breaksGlass reports whether a caller demands to go without the consent of others, which takes a reason.
func breaksGlass(demanded bool, reason string) bool { return demanded && reason != "" }

// resource returns an environment as policies see it; the empty name means what is global.
func (s *server) resource(ctx context.Context, environment string) access.Resource {
	r := access.Resource{Environment: environment}
	if environment == "" {
		return r
	}
	if service, err := s.options.Environments.Control(ctx, environment); err == nil {
		r.Protected = service.KnownRisk().Protected
	} else {
		r.Protected = risk.DefaultSettings(environment).Protected
	}
	return r
}

// refusedTo asks policies, and records what they refuse: in the ledger of the environment, if it has one.
func (s *server) refusedTo(ctx context.Context, q access.Question) *problem {
	answer := s.options.Authorize(q)
	if answer.Permitted {
		return nil
	}
	where := "in environment " + q.Resource.Environment
	if q.Resource.Environment == "" {
		where = "in this installation"
	}
	refusal := &decide.Refusal{
		Cause: decide.CauseForbidden, Detail: fmt.Sprintf("You are not permitted to %s %s.", q.Action, where),
		Action: &requests.RefusedAction{Action: q.Action, Policies: answer.Policies}, Approvals: answer.Approvals,
	}
	if answer.Approvals > 0 {
		refusal.Detail += " Policies want the consent of others, which only changes of documents can get: break the glass, with a reason, if you may."
	}
	s.options.Repeats.Line(zerolog.WarnLevel, "denied: "+q.Principal.RecordID()+" "+string(q.Action), func(e *zerolog.Event) {
		e.Str("principal", q.Principal.RecordID()).Str("action", string(q.Action)).
			Str("environment", q.Resource.Environment).Strs("policies", answer.Policies).Msg("access denied by policy")
	})
	if service, err := s.options.Environments.Control(ctx, q.Resource.Environment); err == nil {
		service.NoteRefused(ctx, decide.Origin{Principal: q.Principal}, refusal)
	}
	return refused(refusal)
}

// mayRead reports whether the caller is permitted to read an environment.
func (s *server) mayRead(ctx context.Context, environment string) bool {
	principal := caller(ctx)
	if principal.PolicyID() == "" {
		return true // let through, because anybody may read
	}
	return s.permitsRead(ctx, principal, environment)
}

// MayRead returns what tells whether policies let a principal read an environment.
func MayRead(o Options) func(ctx context.Context, p access.Principal, environment string) bool {
	return (&server{options: o.withDefaults()}).permitsRead
}

func (s *server) permitsRead(ctx context.Context, principal access.Principal, environment string) bool {
	return s.options.Authorize(access.Question{
		Principal: principal, Action: access.Read, Resource: s.resource(ctx, environment),
	}).Permitted
}
