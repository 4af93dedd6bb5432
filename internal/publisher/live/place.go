package live

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/changelog"
)

// most is how many items are told at once; a client that missed more reads anew.
const most = 1000

// requestSteps begins the types of what happens to change requests.
const requestSteps = "request."

var (
	// errCannotTell means that what was missed cannot be told.
	errCannotTell = errors.New("what was missed cannot be told")
	// errGone means that the environment is not in use any more.
	errGone = errors.New("the environment is not in use any more")
)

// place is how far a stream has told what happened in an environment.
type place struct {
	environment string
	// Up to here everything was told.
	position changelog.Position
	ledger   uint64
	// Up to here everything is to be told next.
	end       changelog.Position
	ledgerEnd uint64
}

// news is something to tell.
type news struct {
	event    string
	moved    moved
	revision uint64 // of a change; 0 for others
}

type finder func(ctx context.Context, environment string) (*control.Service, error)

// start takes the present end for the place. Of a client that was here before it must be the very end, which is found out.
func (p *place) start(ctx context.Context, find finder, exact bool) error {
	service, err := find(ctx, p.environment)
	if err != nil {
		return err
	}
	state, err := service.Known()
	if exact {
		within, cancel := context.WithTimeout(ctx, readTime)
		defer cancel()
		if newest, unconfirmed := service.Current(within); unconfirmed == nil {
			state, err = newest, nil
		}
	}
	if err != nil {
		return err
	}
	p.position, p.ledger = state.Position(), service.KnownLedgerEnd()
	p.end, p.ledgerEnd = p.position, p.ledger
	return nil
}

// resume goes back to a revision, and reports whether it is one of this history, which it may have come to.
func (p *place) resume(t changelog.Token) bool {
	if !t.In(p.position.Epoch) || t.Revision == 0 || t.Revision > p.position.Revision {
		return false
	}
	p.position.Revision = t.Revision
	return true
}

// token returns the revision up to which everything was told.
func (p *place) token() changelog.Token { return p.position.Token() }

// news returns what happened behind the place, oldest first.
func (p *place) news(ctx context.Context, find finder) ([]news, error) {
	service, err := find(ctx, p.environment)
	if err != nil {
		return nil, errGone
	}
	state, err := service.Known()
	if err != nil {
		return nil, err // it will be known again
	}
	p.end, p.ledgerEnd = state.Position(), max(service.KnownLedgerEnd(), p.ledger)
	switch {
	case p.end.Epoch != p.position.Epoch:
		return nil, errCannotTell
	case p.end.Revision <= p.position.Revision && p.ledgerEnd <= p.ledger:
		p.end = p.position
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	page, err := activity.List(ctx, service, activity.Query{
		Limit: most, After: activity.Cursor{Revision: p.position.Revision, Sequence: p.ledger}, Before: activity.Cursor{Revision: p.end.Revision + 1, Sequence: p.ledgerEnd + 1},
	})
	switch {
	case err != nil:
		return nil, err
	case !page.Next.IsZero():
		return nil, errCannotTell
	}
	return p.newsOf(page.Items), nil
}

// newsOf returns items, newest first, as what is told, oldest first. Refusals and administration are not told.
func (p *place) newsOf(items []activity.Item) (all []news) {
	for _, item := range slices.Backward(items) {
		told := item.Tell()
		m := moved{Environment: p.environment, Documents: documentsOf(told.Documents), Actor: told.Actor, Request: told.Request}
		switch {
		case item.Change != nil && len(m.Documents) == 0: // the list of signing keys
		case item.Change != nil:
			m.Revision = told.Revision
			all = append(all, news{event: changeEvent, moved: m, revision: item.Change.Position().Revision})
		case strings.HasPrefix(told.Type, requestSteps):
			m.Step = told.Type
			all = append(all, news{event: requestEvent, moved: m})
		}
	}
	return all
}

// told moves the place behind what was told.
func (p *place) told(n news) {
	if n.revision > p.position.Revision {
		p.position.Revision = n.revision
	}
}

// caughtUp moves the place to where everything was to be told.
func (p *place) caughtUp() { p.position, p.ledger = p.end, max(p.ledgerEnd, p.ledger) }
