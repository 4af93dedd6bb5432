package control

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// DefaultExpiry is how long a change request waits, from when it was made or from its time on, unless it says otherwise.
	DefaultExpiry = 30 * 24 * time.Hour
	// MaxExpiry is how long a change request, and what was approved of it, may wait at most from when it was made.
	MaxExpiry = 90 * 24 * time.Hour
	// MaxProposal is how many bytes the documents of a change request may have in all.
	MaxProposal = 512 << 10
	// MaxComments is how many comments a change request may have.
	MaxComments = 500
	maxText     = 4000 // bytes of a comment
	// clockSkew is how far a time that passed may lie back, because clocks differ and requests take time.
	clockSkew = time.Minute
)

// World is what a decision about change requests is made from, besides the governance itself.
type World struct {
	Environment string
	State       State
	Origin      Origin
	Now         time.Time
	// Authorize answers what policies permit; nil permits everything.
	Authorize func(access.Question) access.Answer
	// Gone reports whether an id is of a person who may be here again by another one; nil means none is.
	Gone  func(id string) bool
	Usage Usage
	// Standing returns a principal who is not here as policies know them, or why they no longer count; nil takes everyone as they are.
	Standing func(access.Principal) (access.Principal, error)
	// Line returns the principals that a token was made by; nil knows none.
	Line func(principal string) []string
	// OpenRequests is how many change requests one author may have that are not ended; 0 is any number.
	OpenRequests int
	// LedgerBytes is how many bytes one principal may add to the ledger in a day; 0 is any number.
	LedgerBytes int
}

// RequestCommand is something to be done to change requests: an OpenRequest, Rebase, Comment, Approve, Reject, Withdraw, ClaimRequest,
// Review or SetRisk.
type RequestCommand interface {
	decideRequest(g *Governance, w World) (Event, error)
}

// DecideRequest derives the event that a command leads to. It is pure: the error is always a *Refusal.
func DecideRequest(g *Governance, w World, c RequestCommand) (Event, error) {
	e, err := c.decideRequest(g, w)
	e.At = w.Now.UTC()
	if e.By == "" {
		e.By = w.Origin.actor()
	}
	if err != nil {
		return e, err
	}
	data, err := e.Encode()
	switch {
	case err != nil:
		return e, err
	case len(data) > changelog.MaxJournalBody:
		return e, &Refusal{Cause: CauseTooLarge, Detail: fmt.Sprintf("The record of this has %d bytes with all keys and dependencies, at most %d are allowed: "+
			"change fewer documents at a time.", len(data), changelog.MaxJournalBody)}
	}
	return e, g.written.verify(e, len(data), w.LedgerBytes)
}

// Proposing is what a change request is to do.
type Proposing struct {
	// Command must lead to one transaction.
	Command Command
	// ApplyAt schedules it; Late is how long after that it may still be applied, in whole seconds, 0 being any time.
	ApplyAt time.Time
	Late    time.Duration
	// Expires is when it is given up; zero is after DefaultExpiry.
	Expires time.Time
	// BreakGlass makes it go without approvals.
	BreakGlass bool
}

// OpenRequest opens a change request. Its reason is that of the origin.
type OpenRequest struct {
	ID string // not used before
	Proposing
}

// Rebase makes a change request anew, from what is there now. What was approved before is no longer.
type Rebase struct {
	Request string
	Proposing
}

func (c OpenRequest) decideRequest(g *Governance, w World) (Event, error) {
	if _, known := g.Request(c.ID); known || c.ID == "" {
		return Event{}, &Refusal{Cause: CauseMalformed, Detail: "A change request needs an id of its own."}
	}
	if author := w.Origin.actor(); w.OpenRequests > 0 && g.waitingOf(author) >= w.OpenRequests {
		return Event{}, &Refusal{
			Cause:  CauseTooMany,
			Detail: fmt.Sprintf("You have %d change requests that are not ended: apply or withdraw some first.", w.OpenRequests),
		}
	}
	p, err := c.propose(g, w)
	return Event{Type: EventOpened, Request: c.ID, Text: w.Origin.Reason, Proposal: p}, err
}

func (c Rebase) decideRequest(g *Governance, w World) (Event, error) {
	r, err := find(g, c.Request, EventRebased)
	if err != nil {
		return Event{}, err
	}
	if r.Proposal.Author.ID != w.Origin.actor() {
		return Event{}, forbidden(access.Propose, r, "Only its author can rebase a change request.")
	}
	p, err := c.propose(g, w)
	return Event{Type: EventRebased, Request: c.Request, Text: w.Origin.Reason, Proposal: p}, err
}

// propose decides the command, and what its approval is bound to.
func (c Proposing) propose(g *Governance, w World) (*Proposal, error) {
	decision, err := Decide(w.State, c.Command)
	if err == nil {
		err = c.validate(w, decision)
	}
	if err != nil {
		return nil, err
	}
	documents := decision.Parts[0]
	restores, err := c.restores()
	if err != nil {
		return nil, err
	}
	p := &Proposal{
		Changes: changesOf(documents), Epoch: w.State.Position().Epoch, Bases: bases(w.State, documents), Expires: c.expires(w.Now),
		ApplyAt: c.ApplyAt.UTC(), LateSeconds: int64((c.Late + time.Second - 1) / time.Second), BreakGlass: c.BreakGlass, Command: c.print(),
		Author: authorOf(w.Origin.actor(), w.Origin.Principal), Restores: restores,
	}
	if c.ApplyAt.IsZero() {
		p.ApplyAt = time.Time{}
	}
	k := w.ask(g, documents)
	k.circumstances.OwnRequest = true
	p.Risk = RiskRecord(k.circumstances.Risk)
	if answer := k.about(access.Propose); !answer.Permitted {
		return nil, denied(access.Propose, documents, answer)
	}
	p.Needed = k.about(access.Apply).Approvals
	if c.BreakGlass {
		return p, k.mustBreakGlass()
	}
	return p, nil
}

// restores returns what the command restores, nil if it does not.
func (c Proposing) restores() (*Restoration, error) {
	r, ok := c.Command.(Restore)
	if !ok {
		return nil, nil
	}
	return &r.Restoration, r.Restoration.permit(c.BreakGlass)
}

// print tells proposals apart.
func (c Proposing) print() string {
	return fingerprint(fmt.Sprint(commandPrint(c.Command), c.ApplyAt.UTC(), c.Late, c.Expires.UTC(), c.BreakGlass))
}

func (c Proposing) expires(now time.Time) time.Time {
	made := now
	switch {
	case !c.Expires.IsZero():
		return c.Expires.UTC()
	case c.ApplyAt.After(now):
		now = c.ApplyAt
	}
	if latest := made.Add(MaxExpiry); now.Add(DefaultExpiry).After(latest) {
		return latest.UTC()
	}
	return now.Add(DefaultExpiry).UTC()
}

func (c Proposing) validate(w World, d Decision) error {
	malformed := func(detail string) error { return &Refusal{Cause: CauseMalformed, Detail: detail} }
	size := 0
	for _, part := range d.Parts {
		for _, document := range part {
			size += len(document.Body)
		}
	}
	switch {
	case len(d.Parts) == 0:
		return malformed("A change request has to change something.")
	case len(d.Parts) > 1:
		return malformed(fmt.Sprintf("A change request changes at most %d documents.", changelog.MaxEntries))
	case size > MaxProposal:
		return &Refusal{
			Cause:  CauseTooLarge,
			Detail: fmt.Sprintf("The documents have %d bytes in all, at most %d are allowed in a change request.", size, MaxProposal),
		}
	case c.BreakGlass && w.Origin.Reason == "":
		return malformed("Breaking the glass needs a reason.")
	case c.BreakGlass && !c.ApplyAt.IsZero():
		return malformed("Breaking the glass cannot wait for a time.")
	case !c.ApplyAt.IsZero() && c.ApplyAt.Before(w.Now.Add(-clockSkew)):
		return malformed(fmt.Sprintf("The time to apply it, %s, has passed: it is %s now. Leave the time out to apply it at once.",
			c.ApplyAt.UTC().Format(time.RFC3339), w.Now.UTC().Format(time.RFC3339)))
	case c.Late < 0:
		return malformed("The time that a change may be late is not negative.")
	case !c.Expires.IsZero() && (!c.Expires.After(w.Now) || c.Expires.Before(c.ApplyAt)):
		return malformed("A change request expires later than now, and later than it is to be applied.")
	case c.Expires.After(w.Now.Add(MaxExpiry)), c.ApplyAt.After(w.Now.Add(MaxExpiry)):
		return malformed("A change request waits 90 days at most: give an earlier time.")
	}
	return nil
}

// find returns a request to which an event of a type can happen.
func find(g *Governance, id string, t EventType) (Request, error) {
	r, known := g.Request(id)
	switch {
	case !known:
		return r, &Refusal{Cause: CauseNotFound, Detail: fmt.Sprintf("There is no change request %q.", id)}
	case !t.follows(r.Status):
		return r, &Refusal{Cause: CauseNotOpen, Detail: fmt.Sprintf("The change request is %s.", r.Status), Request: id}
	}
	return r, nil
}

// Comment says something about a change request.
type Comment struct{ Request, Text string }

func (c Comment) decideRequest(g *Governance, w World) (Event, error) {
	r, err := find(g, c.Request, EventCommented)
	if err != nil {
		return Event{}, err
	}
	if c.Text == "" || len(c.Text) > maxText || !utf8.ValidString(c.Text) {
		return Event{}, &Refusal{Cause: CauseMalformed, Detail: fmt.Sprintf("A comment is text of 1 to %d bytes.", maxText)}
	}
	if len(r.Commented) >= MaxComments {
		return Event{}, &Refusal{Cause: CauseTooLarge, Detail: fmt.Sprintf("The change request has %d comments already.", MaxComments), Request: r.ID}
	}
	return Event{Type: EventCommented, Request: c.Request, Text: c.Text}, w.askAbout(g, r).must(access.Propose)
}

// Approve agrees to a change request as its reader has seen it: Hash is that of the proposal.
type Approve struct{ Request, Hash string }

func (c Approve) decideRequest(g *Governance, w World) (Event, error) {
	r, err := find(g, c.Request, EventApproved)
	if err != nil {
		return Event{}, err
	}
	by := w.Origin.actor()
	k := w.askAbout(g, r)
	switch {
	case r.Proposal.Author.ID == by:
		return Event{}, forbidden(access.Approve, r, "You cannot approve your own change request.")
	case w.descends(by, r.Proposal.Author.ID):
		return Event{}, forbidden(access.Approve, r, "You cannot approve this change request: your token was made with that of its author. "+
			"A person can whose token was not, or who signs in.")
	case w.gone(r.Proposal.Author.ID):
		return Event{}, &Refusal{
			Cause: CauseNotOpen, Request: r.ID,
			Detail: "The author of the change request was erased, so its owner is unknown: reject it, and open a new one.",
		}
	case r.Hash != c.Hash:
		return Event{}, &Refusal{Cause: CauseStale, Detail: "The change request was rebased since: read it again.", Request: r.ID}
	case !w.Now.Before(r.Proposal.Expires):
		return Event{}, &Refusal{Cause: CauseNotOpen, Detail: "The change request has expired.", Request: r.ID}
	case slices.Contains(r.approvers(), by):
		return Event{}, &Refusal{Cause: CauseNotOpen, Detail: "You have approved it already.", Request: r.ID}
	}
	if err := k.must(access.Approve); err != nil {
		return Event{}, err
	}
	approver := authorOf(by, w.Origin.Principal)
	return Event{Type: EventApproved, Request: c.Request, Text: w.Origin.Reason, Hash: c.Hash, Approver: &approver}, stale(w.State, r)
}

// approvers returns who has approved the proposal as it is, each once, without its author.
func (r Request) approvers() []string {
	var ids []string
	for _, a := range r.Approvals {
		if a.By != r.Proposal.Author.ID && !slices.Contains(ids, a.By) {
			ids = append(ids, a.By)
		}
	}
	return ids
}

// stale refuses a request when something that it was made from has changed.
func stale(s State, r Request) error {
	if s.Position().Epoch != r.Proposal.Epoch {
		return &Refusal{
			Cause: CauseStale, Request: r.ID, Moved: moved(s, r.Proposal.Bases),
			Detail: "The environment was restored or recreated since the change request was made: rebase it.",
		}
	}
	now := moved(s, r.Proposal.Bases)
	if len(now) == 0 {
		return nil
	}
	return &Refusal{
		Cause: CauseStale, Request: r.ID, Moved: now,
		Detail: fmt.Sprintf("The %s %q was changed since the change request was made from it: rebase the request.", now[0].Kind, now[0].Key),
	}
}

// Reject ends a change request of another person. The reason is that of the origin.
type Reject struct{ Request string }

func (c Reject) decideRequest(g *Governance, w World) (Event, error) {
	r, err := find(g, c.Request, EventRejected)
	if err != nil {
		return Event{}, err
	}
	if r.Proposal.Author.ID == w.Origin.actor() {
		return Event{}, forbidden(access.Approve, r, "You cannot reject your own change request: withdraw it.")
	}
	return Event{Type: EventRejected, Request: c.Request, Text: w.Origin.Reason}, w.askAbout(g, r).must(access.Approve)
}

// Withdraw ends a change request, scheduled or not, of its author.
type Withdraw struct{ Request string }

func (c Withdraw) decideRequest(g *Governance, w World) (Event, error) {
	r, err := find(g, c.Request, EventWithdrawn)
	if err != nil {
		return Event{}, err
	}
	e := Event{Type: EventWithdrawn, Request: c.Request, Text: w.Origin.Reason}
	k := w.askAbout(g, r)
	if r.Proposal.Author.ID != w.Origin.actor() {
		return e, k.must(access.Administer)
	}
	return e, k.must(access.Propose)
}

// Review closes what breaking the glass has left open.
type Review struct{ Request string }

func (c Review) decideRequest(g *Governance, w World) (Event, error) {
	r, err := find(g, c.Request, EventReviewed)
	if err != nil {
		return Event{}, err
	}
	if !r.ReviewOpen() {
		return Event{}, &Refusal{Cause: CauseNotOpen, Detail: "The change request needs no review.", Request: r.ID}
	}
	by := w.Origin.actor()
	for _, own := range []string{r.Proposal.Author.ID, r.Claim.By} {
		switch {
		case own == by:
			return Event{}, forbidden(access.Approve, r, "You cannot review your own change.")
		case w.descends(by, own):
			return Event{}, forbidden(access.Approve, r, "You cannot review this change: your token was made with that of its author. "+
				"A person can whose token was not, or who signs in.")
		case w.gone(own):
			return Event{}, forbidden(access.Approve, r, "The author of the change was erased, and may be you: it cannot be reviewed.")
		}
	}
	return Event{Type: EventReviewed, Request: c.Request, Text: w.Origin.Reason}, w.askAbout(g, r).must(access.Approve)
}

// PatchRisk changes members of what is risky in the environment by a JSON Merge Patch (RFC 7396).
type PatchRisk struct{ Merge []byte }

func (c PatchRisk) decideRequest(g *Governance, w World) (Event, error) {
	settings, err := g.risk.patched(c.Merge)
	if err != nil {
		return Event{}, err
	}
	return SetRisk{Settings: settings}.decideRequest(g, w)
}

// SetRisk says what is risky in the environment.
type SetRisk struct{ Settings RiskSettings }

func (c SetRisk) decideRequest(g *Governance, w World) (Event, error) {
	if err := c.Settings.validate(); err != nil {
		return Event{}, err
	}
	return Event{Type: EventRisk, Text: w.Origin.Reason, Risk: &c.Settings}, w.ask(g, nil).must(access.Administer)
}
