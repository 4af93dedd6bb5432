package decide

import (
	"fmt"
	"unicode/utf8"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

const (
	// MaxComments is how many comments a change request may have.
	MaxComments = 500
	maxText     = 4000 // bytes of a comment
)

// Comment says something about a change request.
type Comment struct{ Request, Text string }

func (c Comment) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	r, err := find(g, c.Request, requests.EventCommented)
	if err != nil {
		return requests.Event{}, nil, err
	}
	if c.Text == "" || len(c.Text) > maxText || !utf8.ValidString(c.Text) {
		return requests.Event{}, nil, &Refusal{Cause: CauseMalformed, Detail: fmt.Sprintf("A comment is text of 1 to %d bytes.", maxText)}
	}
	if len(r.Commented) >= MaxComments {
		return requests.Event{}, nil, &Refusal{Cause: CauseTooLarge, Detail: fmt.Sprintf("The change request has %d comments already.", MaxComments), Request: r.ID}
	}
	k := in.checkRequest(g, r, nil)
	return requests.Event{Type: requests.EventCommented, Request: c.Request, Text: c.Text}, k.candidate, k.must(access.Propose)
}
