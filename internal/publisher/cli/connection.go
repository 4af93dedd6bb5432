package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/admin"
)

// connection is where the publisher is, and who asks it.
type connection struct {
	address string
	ca      string
	token   config.Secret

	where       *config.Option // that the address comes by
	authorities *config.Option // that the CA certificates come by
	secret      *config.Option // that the token comes by
}

func (c *connection) declare(set *config.Set) {
	c.where = set.String(&c.address, "admin", "http://"+publisher.DefaultAdminAddr, "address of the publisher's API, http or https").Shared()
	c.authorities = set.File(&c.ca, "admin-ca", "", "PEM file with CA certificates for the publisher; without it the system's").Shared()
	c.secret = set.Secret(&c.token, "token", "file with your API token; without a token you are anonymous").Shared()
}

// tokenFile returns the file that has the token; empty if it does not come from one.
func (c *connection) tokenFile() string {
	if c.secret.Source() == "" {
		return ""
	}
	return c.secret.Text()
}

// open returns a client for the connection; it does not connect yet. A token of the context in use is for no other publisher than that of the
// context.
func (c *connection) open() (*admin.Client, error) {
	if fromContext(c.secret) && c.address != c.where.FallbackText() {
		return nil, &failure{code: exitRefused, text: visible(fmt.Sprintf(
			"the token of %s is for %s, and is not sent to %s: give one with --token-file", c.secret.Source(), c.where.FallbackText(), c.address))}
	}
	return admin.NewClient(admin.ClientOptions{Address: c.address, Token: c.token.Reveal(), CAFile: c.ca})
}

// do makes a call.
func (s *session) do(ctx context.Context, in admin.Call) (admin.Answer, error) {
	found, err := s.client.Do(ctx, in)
	if problem, ok := errors.AsType[*admin.Problem](err); ok {
		return found, refused(s.placed(problem), in, s.again(in))
	}
	if lost, ok := errors.AsType[*admin.Unanswered](err); ok {
		return found, s.unanswered(lost, in)
	}
	return found, err
}

// placed returns a problem with the places in the file that a document was read from.
func (s *session) placed(p *admin.Problem) *admin.Problem {
	if s.writes == nil {
		return p
	}
	placed := *p
	placed.Errors = slices.Clone(p.Errors)
	for i := range placed.Errors {
		if e := &placed.Errors[i]; e.Kind == s.writes.kind && e.Key == s.writes.key {
			e.File = s.writes.text.Place(e.Pointer)
		}
	}
	return &placed
}

// unanswered says what it means that no answer came.
func (s *session) unanswered(lost *admin.Unanswered, in admin.Call) error {
	if !in.Writes() || !lost.Sent {
		return &failure{code: exitUnavailable, text: lost.Error()}
	}
	return &failure{code: exitUndecided, text: fmt.Sprintf("%v\nit may have done what was asked: %s", lost, s.again(in))}
}

// again says how to repeat a change so that nothing is changed twice: with the same key, and as one who has seen the same.
func (s *session) again(in admin.Call) string {
	if in.Key == "" {
		return "look whether it was done before you repeat it"
	}
	text := "repeat it with --idempotency-key " + in.Key + s.also
	if in.IfMatch != "" && !s.implied {
		text += " --if-match " + in.IfMatch
	}
	if in.IfAbsent && !s.implied {
		text += " --create"
	}
	return text
}
