package following

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/source"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// maxDocuments and maxBytes bound a transaction: a change request takes as much.
	maxDocuments = changelog.MaxEntries
	maxBytes     = 400 << 10
	// maxMoved is how often a plan is made again because the environment has changed.
	maxMoved = 20
	// shownConflicts is how many conflicts are named.
	shownConflicts = 20
)

// work is one time that the environment is made what the source says.
type work struct {
	*Follower

	documents, bytes int // at most in a transaction
	service          *control.Service
	state            decide.State
	compatibility    eval.Compatibility     // that the version was read with
	counts           requests.SourceVersion // the version that counts
	waits            requests.Request       // the change request that waits, or was rejected
	outcome          outcome
}

// carryOut plans and carries out, and plans again what is left, until there is nothing left to do.
func (w *work) carryOut(ctx context.Context) (now Status, err error) {
	if w.service, err = w.options.Control(ctx, w.options.Spec.Environment); err != nil {
		return now, err
	}
	for moved := 0; moved < maxMoved; {
		done, err := w.once(ctx)
		switch {
		case errors.Is(err, errMoved):
			moved++
		case err != nil || done:
			return w.reached(), err
		default:
			moved = 0
		}
	}
	return now, fmt.Errorf("%w: it changes faster than it can be planned", errMoved)
}

// once makes one plan and carries it out. It reports whether nothing is left that can be done now.
func (w *work) once(ctx context.Context) (done bool, err error) {
	if w.state, err = w.service.Current(ctx); err != nil {
		return false, err
	}
	if err := w.read(); err != nil {
		return false, err
	}
	plan, err := w.plan(ctx)
	if err != nil {
		return false, err
	}
	if err := w.takeUp(ctx); err != nil {
		return false, err
	}
	w.outcome.conflicts = plan.Conflicts
	for _, part := range plan.Parts {
		if carried, waits, err := w.part(ctx, part); err != nil || !carried {
			return waits, err
		}
	}
	if len(plan.Parts) > 0 {
		return false, nil // what others have changed meanwhile is planned
	}
	return true, w.withdraw(ctx)
}

// read reads the source, which must have something to say.
func (w *work) read() error {
	if w.outcome.version != nil && w.compatibility == w.state.Rules().Compatibility() {
		return nil // what has changed since is for the next time
	}
	w.compatibility = w.state.Rules().Compatibility()
	version, err := w.reader.Read(w.state.Rules())
	if err != nil {
		return &problem{Missing, err.Error()}
	}
	w.outcome.version = version
	if version.Findings.Err() != nil {
		return &problem{Broken, version.Findings.Err().Error()}
	}
	return nil
}

// plan plans what the environment needs.
func (w *work) plan(ctx context.Context) (source.Plan, error) {
	v := w.outcome.version
	others, err := w.others(ctx)
	if err != nil {
		return source.Plan{}, err
	}
	plan, err := source.New(slices.Collect(w.state.Documents()), v.Documents, source.Options{
		Owner: w.name, Marks: v.marks, Others: others, Prune: true, Around: true, Rules: w.state.Rules(), MaxDocuments: w.documents, MaxBytes: w.bytes,
	})
	if refusal, ok := errors.AsType[*source.Refusal](err); ok {
		w.outcome.problems = refusal.Problems
		return plan, &problem{Broken, strings.Join(v.Explain(refusal.Detail, refusal.Problems), "\n")}
	}
	return plan, err
}

// others returns which other sources have put last what carries no owner and is not as this one says. Without that, two that say different things would
// put them by turns for ever.
func (w *work) others(ctx context.Context) (map[document.ID]string, error) {
	others := make(map[document.ID]string)
	for _, d := range w.outcome.version.Documents {
		live, exists := w.state.Document(d.ID())
		if !exists || ownership.Owner(ownership.Marked(d.Body, w.name)) != "" || source.Same(live.Body, d.Body) {
			continue
		}
		by, err := w.author(ctx, live)
		if err != nil {
			return nil, err
		}
		if other := ownership.Followed(by); other != w.name {
			others[d.ID()] = other
		}
	}
	return others, nil
}

// author returns who has put a document as it is now.
func (w *work) author(ctx context.Context, live document.Document) (string, error) {
	for r, err := range w.service.Backwards(ctx, live.Revision+1) {
		if err != nil || r.Revision == live.Revision {
			return r.Actor, err
		}
	}
	return "", nil
}

// takeUp makes sure that the version is the one that counts.
func (w *work) takeUp(ctx context.Context) error {
	v := w.outcome.version
	w.remember(v.digest)
	if v.digest == w.counts.Digest {
		return nil // it was taken up a moment ago
	}
	verdict, counts, err := w.service.TakeUp(ctx, w.origin(v.label), decide.SeenVersion{
		SourceVersion: requests.SourceVersion{Name: w.name, Digest: v.digest, Version: v.label, Order: v.order},
		Changed:       w.changed, Before: w.before, Certain: v.certain, Sole: w.options.Sole,
	})
	if err != nil {
		return err
	}
	w.judged(v.digest)
	if verdict == decide.Behind {
		return &problem{Behind, fmt.Sprintf("another publisher has taken up version %s at %s, and this one reads version %s, which may be an older one",
			counts.Version, counts.At.UTC().Format(time.RFC3339), v.label)}
	}
	w.changed, w.counts = false, counts
	return nil
}

// part carries out a part of a plan at once if policies permit that. Where they want approvals for some of it, such as deletions, it carries out the
// rest, and has a change request for what is left. It reports whether all of it is carried out, and else whether it waits for approvals, or is to be
// planned again.
func (w *work) part(ctx context.Context, part []source.Change) (carried, waits bool, err error) {
	err = w.change(ctx, part)
	if puts := kept(part); needsApproval(err) && len(puts) > 0 && len(puts) < len(part) {
		if err := w.change(ctx, puts); err == nil {
			return false, false, nil
		}
	}
	if needsApproval(err) {
		waits, err = w.request(ctx, part)
		return false, waits, err
	}
	return err == nil, false, err
}

// kept returns what a part does not delete.
func kept(part []source.Change) []source.Change {
	return slices.DeleteFunc(slices.Clone(part), func(c source.Change) bool { return c.After == nil })
}

// change writes changes.
func (w *work) change(ctx context.Context, part []source.Change) error {
	_, err := w.service.Do(ctx, w.origin(w.outcome.version.label), w.transfer(part))
	if isRefused(err, decide.CausePreconditionFailed) {
		return errMoved
	}
	if err == nil {
		w.outcome.changed = append(w.outcome.changed, part...)
	}
	return err
}

// transfer returns changes as a command.
func (w *work) transfer(part []source.Change) decide.Transfer {
	t := decide.Transfer{Epoch: w.state.Position().Epoch}
	for _, c := range part {
		t.Changes = append(t.Changes, document.Document{Kind: c.Kind, Key: c.Key, Body: c.After})
		t.Bases = append(t.Bases, requests.Base{Kind: c.Kind, Key: c.Key, Revision: c.Base})
	}
	return t
}

// reached returns the status when everything was done that can be done now.
func (w *work) reached() Status {
	now := Status{State: Applied, Applied: time.Now()}
	if len(w.outcome.conflicts) > 0 {
		now.State, now.Detail = Conflict, w.conflictText()
	}
	if w.waits.ID != "" {
		now.State, now.Request, now.Applied = Waiting, w.waits.ID, time.Time{}
		now.Detail = fmt.Sprintf("change request %s has %d of %d approvals", w.waits.ID, len(w.waits.Approvers()), w.waits.Proposal.Needed)
		if w.waits.Status == requests.Rejected || w.waits.Status == requests.Withdrawn {
			now.State = Refused
			now.Detail = fmt.Sprintf("change request %s was %s: nothing is asked for again until the source changes", w.waits.ID, w.waits.Status)
		}
	}
	return w.known(now)
}

// known adds what is known in any state.
func (w *work) known(now Status) Status {
	if w.outcome.version != nil {
		now.Version = w.outcome.version.label
	}
	for _, c := range w.outcome.conflicts {
		now.Conflicts = append(now.Conflicts, c.ID)
	}
	now.ConflictDetail = w.conflictText()
	if w.service == nil {
		return now
	}
	if state, err := w.service.Known(); err == nil {
		now.Owned = owned(state, w.name)
	}
	return now
}

// owned returns how many documents a source owns.
func owned(state decide.State, source string) (n int) {
	for d := range state.Documents() {
		if ownership.Source(ownership.Owner(d.Body)) == source {
			n++
		}
	}
	return n
}

// conflictText names what others have.
func (w *work) conflictText() string {
	var lines []string
	for i, c := range w.outcome.conflicts {
		if i == shownConflicts {
			lines = append(lines, fmt.Sprintf("and %d more", len(w.outcome.conflicts)-i))
			break
		}
		lines = append(lines, w.conflict(c))
	}
	return strings.Join(lines, "\n")
}

// conflict says who else has a document.
func (w *work) conflict(c source.Conflict) string {
	switch {
	case ownership.Taken(c.Owner) == w.name:
		return fmt.Sprintf("%s %q was changed by breaking the glass, and stays like that: make the source say the same, or give it back with "+
			"flagside source give-back %s -e %s", c.Kind, c.Key, c.Key, w.options.Spec.Environment)
	case ownership.Reserved(c.Owner):
		return fmt.Sprintf("%s %q is also what %s says: take it out of one of them", c.Kind, c.Key, ownership.Place(c.Owner))
	}
	return fmt.Sprintf("%s %q belongs to the source %s, which flagside apply writes: take it out of one of them", c.Kind, c.Key, c.Owner)
}
