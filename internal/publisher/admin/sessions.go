package admin

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/session"
)

const sessionsPath = "/api/v1/sessions"

// Sessions are the sessions of the console. A *session.Sessions is one.
type Sessions interface {
	// List returns the sessions of a principal by what policies call it, or all for the empty text.
	List(ctx context.Context, policyID string) ([]session.Session, error)
	// End ends a session, if it is one of that principal or the text is empty.
	End(ctx context.Context, id, policyID string) (session.Session, error)
	// EndAll ends all sessions of a principal.
	EndAll(ctx context.Context, policyID string) error
	// Current returns the id in the cookie that a request counts by, empty if it does not.
	Current(r *http.Request) string
	// Forget returns the Set-Cookie that has a browser forget its session.
	Forget(r *http.Request) string
}

// sessionKey is the key of the id of the session in the context of a request.
type sessionKey struct{}

type revokeSession struct {
	Session string `path:"session" maxLength:"64" doc:"The id of the session."`
}

func (s *server) registerSessions(h huma.API) {
	huma.Register(h, operation(http.MethodGet, sessionsPath, "listSessions",
		"List the sessions of the console, the oldest first: your own, and those of all for administrators", accessTag), s.listSessions)
	huma.Register(h, operation(http.MethodDelete, sessionsPath+"/{session}", "revokeSession",
		"End a session of the console: one of your own, and any for administrators", accessTag), s.revokeSession)
}

// reach returns whose sessions the caller may see and end; the empty text means those of all.
func (s *server) reach(ctx context.Context) string {
	principal := caller(ctx)
	if s.options.Authorize(access.Question{Principal: principal, Action: access.Administer}).Permitted {
		return ""
	}
	return principal.PolicyID()
}

func (s *server) listSessions(ctx context.Context, _ *struct{}) (*content[api.SessionList], error) {
	out := &content[api.SessionList]{Body: api.SessionList{Items: []api.Session{}}}
	if s.options.Sessions == nil {
		return out, nil
	}
	all, err := s.options.Sessions.List(ctx, s.reach(ctx))
	if err != nil {
		return nil, s.problem(err)
	}
	for _, one := range all {
		out.Body.Items = append(out.Body.Items, s.session(ctx, one))
	}
	return out, nil
}

func (s *server) session(ctx context.Context, one session.Session) api.Session {
	p := one.Principal
	current, _ := ctx.Value(sessionKey{}).(string)
	name := p.Name
	if known, is := access.NameOf(s.options.Tokens, s.options.People, p.ID); p.ID != "" && is {
		name = known
	}
	return api.Session{
		ID: one.ID, Principal: p.RecordID(), Name: cmp.Or(name, p.Subject), Kind: string(p.Kind), How: string(one.How), Created: one.Created, Expires: one.Expires,
		Browser: one.Agent, Current: current == one.ID,
	}
}

func (s *server) revokeSession(ctx context.Context, in *revokeSession) (*content[api.Session], error) {
	if s.options.Sessions == nil {
		return nil, s.problem(session.ErrUnknown)
	}
	ended, err := s.options.Sessions.End(ctx, in.Session, s.reach(ctx))
	if err != nil {
		return nil, s.problem(err)
	}
	s.options.Logger.Info().Str("session", ended.ID).Str("principal", ended.Principal.RecordID()).Str("by", caller(ctx).RecordID()).Msg("session of the console revoked")
	return &content[api.Session]{Body: s.session(ctx, ended)}, nil
}

// endSessionsOf ends the sessions of a person who is to be erased, named by id or subject: they hold the name, also of one who has changed nothing.
func (s *server) endSessionsOf(ctx context.Context, person string) error {
	if s.options.Sessions == nil {
		return nil
	}
	subjects := []string{person}
	if known, is := s.options.People.Find(person); is && known.Subject != "" {
		subjects = append(subjects, known.Subject)
	}
	for _, subject := range subjects {
		if err := s.options.Sessions.EndAll(ctx, subject); err != nil {
			return err
		}
	}
	return nil
}
