package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
)

const (
	// actionsOfOneLook bounds how many flags one look changes or proposes to change.
	actionsOfOneLook = 10
	// firstRetry and longestRetry are how long it rests after what a policy wanted was refused.
	firstRetry   = time.Minute
	longestRetry = time.Hour
	// repeated is how often something was refused in vain until that is a condition.
	repeated = 2
	// clockSkew is how far the clocks of publishers may differ before one withdraws what another has proposed.
	clockSkew = 10 * time.Minute
	// failuresNamed is how many failures are told one by one.
	failuresNamed = 3
)

// What becomes of what a policy wants, for Observer.ActedOnExpired.
const (
	ActionDone      = "done"
	ActionProposed  = "proposed"
	ActionRebased   = "rebased"
	ActionWithdrawn = "withdrawn"
	ActionFailed    = "failed"
)

// failure is why something that a policy wants was refused.
type failure struct {
	revision uint64 // of the flag
	count    int
	next     time.Time // attempt
	text     string
}

// failed says what failed repeatedly, some of it.
func (l *lives) failed() []string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(l.failures)) {
		if f := l.failures[key]; f.count >= repeated {
			list = append(list, fmt.Sprintf("flag %s: %s", key, f.text))
		}
	}
	if more := len(list) - failuresNamed; more > 0 {
		list = append(list[:failuresNamed], fmt.Sprintf("and %d more flags", more))
	}
	return list
}

// dueFlag is an expired flag with what the policy wants of it.
type dueFlag struct {
	flag   *eval.Flag
	intent lifecycle.Intent
}

// spec returns what is to be done to the flag.
func (d dueFlag) spec(state decide.State) (decide.ProposalSpec, error) {
	id := document.ID{Kind: document.KindFlag, Key: d.flag.Key()}
	seen := decide.Precondition{Match: decide.Token(state, document.Document{Revision: d.flag.Revision()})}
	if d.intent.Action == lifecycle.ProposeRemoval {
		return decide.ProposalSpec{Command: decide.Archive{ID: id, If: seen}}, nil
	}
	merge, err := d.intent.Merge(d.flag)
	return decide.ProposalSpec{Command: decide.Patch{ID: id, Merge: merge, If: seen}}, err
}

// reasonOf says why something is done to a flag, in at most changelog.MaxReason bytes.
func reasonOf(f *eval.Flag, intent lifecycle.Intent) string {
	const longest = 150
	owner := ""
	if f.Owner() != "" {
		owner = ", owner " + cut(f.Owner(), longest)
	}
	want := "it should be archived"
	switch {
	case intent.Action == lifecycle.Freeze && intent.Variant == "":
		want = "everyone gets the default of the application"
	case intent.Action == lifecycle.Freeze:
		want = "everyone gets variant " + cut(intent.Variant, longest)
	}
	return fmt.Sprintf("%s expired at %s%s: by the lifecycle policy of the environment, %s", f.Kind(), f.Expires().UTC().Format(time.RFC3339), owner, want)
}

// cut returns a text of at most so many bytes.
func cut(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	for longest > 0 && !utf8.RuneStart(text[longest]) {
		longest--
	}
	return text[:longest] + "…"
}

// lifecycleOrigin is who does what a policy wants, as policies of access know it.
func lifecycleOrigin(reason string) decide.Origin {
	return decide.Origin{Actor: requests.LifecycleActor, Reason: reason, Principal: access.Principal{
		ID: requests.LifecycleActor, Name: "lifecycle policy", Kind: access.KindLocal, Groups: []string{access.RoleLifecycle},
	}}
}

// expiry is what one look does about expired flags.
type expiry struct {
	policy    lifecycle.Policy
	automatic []requests.Request // those of the policy that wait for something
	now       time.Time
	state     decide.State // later than what the ledger said of the others
}

// dueFlags returns the expired flags that the policy wants something of, by their keys.
func (x expiry) dueFlags() map[string]dueFlag {
	due := make(map[string]dueFlag)
	if !x.policy.Acts() {
		return due
	}
	flags := x.state.Rules().Flags()
	dependants := lifecycle.Dependants(flags)
	for _, standing := range lifecycle.Of(flags, 0, x.policy.Settings(), x.now) {
		if intent := x.policy.Intend(standing, dependants[standing.Flag.Key()]); intent.Due() {
			due[standing.Flag.Key()] = dueFlag{flag: standing.Flag, intent: intent}
		}
	}
	return due
}

// soon reports whether a flag is due by a clock that is somewhat ahead of this one.
func (x expiry) soon(flag string) bool {
	x.now = x.now.Add(clockSkew)
	_, isDue := x.dueFlags()[flag]
	return isDue
}

// actOnExpired does what the policy wants of expired flags, and reports whether nothing is left that could be done now.
func (s *Service) actOnExpired(ctx context.Context, x expiry) bool {
	if !x.policy.Acts() && len(x.automatic) == 0 {
		return true
	}
	var err error
	if x.state, err = s.Current(ctx); err != nil {
		return false
	}
	due := x.dueFlags()
	s.lives.keepFailures(due, x.now)
	left := actionsOfOneLook
	return s.attendAll(ctx, x, due, &left) && s.beginAll(ctx, x, due, &left)
}

// attendAll does what is due about change requests that wait, and takes their flags from those that are due.
func (s *Service) attendAll(ctx context.Context, x expiry, due map[string]dueFlag, left *int) bool {
	for _, r := range x.automatic {
		key := r.Proposal.Changes[0].Key
		wanted, isDue := due[key]
		delete(due, key)
		if s.lives.rests(key, x.now) || !isDue && x.soon(key) {
			continue
		}
		if *left <= 0 {
			return false
		}
		outcome, err := s.attend(ctx, x.state, decide.Against(r, x.state), wanted, isDue)
		if !s.settled(key, wanted, outcome, err, x.now) {
			return false
		}
		if outcome != "" {
			*left--
		}
	}
	return true
}

// beginAll begins with flags that are due and that nothing was done about.
func (s *Service) beginAll(ctx context.Context, x expiry, due map[string]dueFlag, left *int) bool {
	for _, key := range slices.Sorted(maps.Keys(due)) {
		if s.lives.rests(key, x.now) {
			continue
		}
		id, spec, err := s.next(x.state, due[key])
		if err != nil || id == "" {
			continue
		}
		if *left--; *left < 0 {
			return false
		}
		outcome, err := s.begin(ctx, due[key], id, spec)
		if isRefused(err, decide.CauseTooMany) {
			return true // others wait already: it is begun when these have ended
		}
		if !s.settled(key, due[key], outcome, err, x.now) {
			return false
		}
	}
	return true
}

// automatic returns the policy that holds, as far as it is known here, and the change requests of policies that wait for something.
func (s *Service) automatic() (lifecycle.Policy, []requests.Request) {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	waiting := slices.DeleteFunc(s.ledger.governance.Unfinished(), func(r requests.Request) bool {
		return r.Proposal.Author.ID != requests.LifecycleActor
	})
	return s.ledger.governance.Lifecycle(), waiting
}

// attend does what is due about a change request: one that is no longer wanted is withdrawn, one that others overtook is rebased, and a freeze is
// applied once it is approved. It returns what became of it, empty for nothing.
func (s *Service) attend(ctx context.Context, state decide.State, r requests.Request, wanted dueFlag, isDue bool) (outcome string, err error) {
	removes := r.Proposal.Changes[0].Body == nil
	switch {
	case r.Status == requests.Claimed: // it is being applied
		return "", nil
	case !isDue || removes != (wanted.intent.Action == lifecycle.ProposeRemoval):
		return ActionWithdrawn, s.withdraw(ctx, r)
	}
	spec, err := wanted.spec(state)
	switch {
	case err != nil:
		return "", err
	case r.Status == requests.NeedsRebase || r.Proposal.Command != spec.Fingerprint():
		origin := lifecycleOrigin(reasonOf(wanted.flag, wanted.intent))
		_, _, err = s.handle(ctx, origin, decide.Rebase{Request: r.ID, Hash: r.Hash, ProposalSpec: spec})
		return ActionRebased, err
	case removes || len(r.Approvers()) < r.Proposal.Needed:
		return "", nil
	}
	_, err = s.apply(ctx, lifecycleOrigin(""), r.ID, nil)
	if isRefused(err, decide.CauseApprovalRequired) {
		return "", nil // more is needed now than when it was made: it waits
	}
	return ActionDone, err
}

// withdraw ends a change request, whatever its flag has become.
func (s *Service) withdraw(ctx context.Context, r requests.Request) error {
	origin := lifecycleOrigin("no longer wanted by the lifecycle policy of the environment")
	origin.Owner = true
	_, _, err := s.handle(ctx, origin, decide.Withdraw{Request: r.ID})
	return err
}

// remembered reports whether a request that has ended proposed the same, and people or policies did not want it.
func remembered(r requests.Request, spec decide.ProposalSpec) bool {
	return r.Proposal.Command == spec.Fingerprint() && r.Status != requests.Expired && r.Outcome.By != requests.LifecycleActor
}

// next returns what is to be done to a flag, with the id of its request, if there is to be one; an empty id means that nothing is. Publishers that
// open a request at once choose the same id, so one of them does.
func (s *Service) next(state decide.State, d dueFlag) (id string, spec decide.ProposalSpec, err error) {
	s.ledger.mu.RLock()
	before, known := s.ledger.governance.Automatic(d.flag.Key())
	s.ledger.mu.RUnlock()
	if known && before.Waits() {
		return "", spec, nil
	}
	if spec, err = d.spec(state); err != nil || known && remembered(before, spec) {
		return "", spec, err
	}
	return decide.Fingerprint(strings.Join([]string{requests.LifecycleActor, d.flag.Key(), spec.Fingerprint(), before.ID}, "\x00")), spec, nil
}

// begin freezes a flag, or proposes what is not to be done at once by a request with an id.
func (s *Service) begin(ctx context.Context, d dueFlag, id string, spec decide.ProposalSpec) (outcome string, err error) {
	origin := lifecycleOrigin(reasonOf(d.flag, d.intent))
	if d.intent.Action == lifecycle.Freeze {
		_, err := s.Do(ctx, origin, spec.Command)
		if !isRefused(err, decide.CauseApprovalRequired) {
			return ActionDone, err
		}
	}
	_, _, err = s.handle(ctx, origin, decide.OpenRequest{ID: id, ProposalSpec: spec})
	return ActionProposed, err
}

// settled takes note of what became of an attempt, and reports whether it makes sense to go on.
func (s *Service) settled(key string, d dueFlag, outcome string, err error, now time.Time) bool {
	refusal, refused := errors.AsType[*decide.Refusal](err)
	switch {
	case err == nil && outcome == "":
	case err == nil:
		s.lives.forgetFailure(key)
		s.options.Observer.ActedOnExpired(d.intent.Action, outcome)
	case !refused:
		return false // the log or the ledger cannot be had now, which other conditions tell
	case overtaken(refusal.Cause), refusal.Cause == decide.CauseTooMany: // a later look goes on
	default:
		s.lives.noteFailure(key, d, refusal, now)
		s.options.Observer.ActedOnExpired(d.intent.Action, ActionFailed)
	}
	return true
}

// overtaken reports whether a cause tells that a person or another publisher was faster.
func overtaken(c decide.Cause) bool {
	switch c {
	case decide.CausePreconditionFailed, decide.CauseNotFound, decide.CauseNotOpen, decide.CauseStale, decide.CauseMalformed:
		return true
	default:
		return false
	}
}

func isRefused(err error, cause decide.Cause) bool {
	refusal, ok := errors.AsType[*decide.Refusal](err)
	return ok && refusal.Cause == cause
}

// rests reports whether something was refused lately.
func (l *lives) rests(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, failing := l.failures[key]
	return failing && now.Before(f.next)
}

// keepFailures forgets what failed for flags that are no longer as they were.
func (l *lives) keepFailures(due map[string]dueFlag, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.failures, func(key string, f failure) bool {
		d, isDue := due[key]
		return isDue && d.flag.Revision() != f.revision || !isDue && now.After(f.next)
	})
}

func (l *lives) forgetFailure(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.failures, key)
}

func (l *lives) noteFailure(key string, d dueFlag, r *decide.Refusal, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures == nil {
		l.failures = make(map[string]failure)
	}
	f := l.failures[key]
	f.count++
	f.next = now.Add(min(firstRetry<<min(f.count-1, 10), longestRetry))
	f.text = strings.ReplaceAll(r.Error(), "\n", "; ")
	if d.flag != nil {
		f.revision = d.flag.Revision()
	}
	l.failures[key] = f
}
