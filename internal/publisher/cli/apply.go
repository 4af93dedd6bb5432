package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/source"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// defaultSource is the name of a source that is given none.
	defaultSource = "files"
	// maxPlans is how often a plan is made again because the environment has changed.
	maxPlans = 20
	// maxPart bounds the bytes of a transaction: a request of the API and a change request take as much.
	maxPart = 400 << 10
	// poll is how often a change request is looked at while it is waited for.
	poll = time.Second
)

// applying is one run of apply.
type applying struct {
	*session

	environment, path, owner, reason   string
	prune, takeOver, yes, dryRun, wait bool
	impact                             bool // beside what a dry run says
	propose                            bool
	timeout                            time.Duration

	documents, bytes int // at most in a transaction
	deadline         time.Time
	report           report
	shown            string          // the plan that was printed last
	agreed           string          // the deletions that a person has agreed to
	frozen           map[string]bool // keys of flags that a lifecycle policy keeps as they are
}

// report is what a run of apply has done, or would do.
type report struct {
	Result    string             `json:"result"` // nothing, planned, pending, applied
	Source    string             `json:"source"`
	Revision  string             `json:"revision,omitempty"`
	Request   string             `json:"request,omitempty"`
	Withdrawn []string           `json:"withdrawn,omitempty"` // change requests of the source that nothing needs any more
	Frozen    []string           `json:"frozen,omitempty"`    // flags that stay as a lifecycle policy has made them
	Unchanged int                `json:"unchanged"`
	Changes   []planned          `json:"changes"`
	Risk      *api.Risk          `json:"risk,omitempty"`
	Permitted *bool              `json:"permitted,omitempty"`
	Warnings  []api.ProblemPlace `json:"warnings,omitempty"`
	Impact    *api.Impact        `json:"impact,omitempty"`
}

// planned is one change of a report.
type planned struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
	Done string `json:"done"`
	// State is resultPlanned, resultPending or resultApplied: one run may apply some changes and open a request for others.
	State string `json:"state"`
	Base  string `json:"base,omitempty"` // the revision that it was planned from
}

// The results of a report.
const (
	resultNothing = "nothing"
	resultPlanned = "planned"
	resultPending = "pending"
	resultApplied = "applied"
)

func applyCommand() commandline.Invocation {
	a := &applying{documents: changelog.MaxEntries, bytes: maxPart}
	f := newForm("apply", "Makes flags, segments and metadata of an environment what a file, or the files of a directory, say. What the files do not name stays. "+
		"Where approvals are needed it opens one change request: the same command again updates it, or applies it once it is approved.").inEnvironment()
	f.changing = true
	f.set.File(&a.path, "file", "", "flagd file, or directory of such files, JSON or YAML").Short("f").Require()
	name := f.set.String(&a.owner, "source", defaultSource, "name of the source, which owns what it applies, such as github.com/acme/flags")
	f.set.Bool(&a.prune, "prune", false, "delete the flags and segments that the source owns and the files no longer name; it needs a --source").OnlyOnCommandLine()
	f.set.Bool(&a.yes, "yes", false, "delete without asking").OnlyOnCommandLine()
	f.set.Bool(&a.takeOver, "take-over", false, "make the source the owner of what other sources own").OnlyOnCommandLine()
	f.set.Bool(&a.dryRun, "dry-run", false, "say what would change, what is at stake and who would have to agree, and change nothing").Shared()
	f.set.Bool(&a.impact, "preview", false, "as --dry-run, and ask sidecars how many recent evaluations would get another answer").Shared().OnlyOnCommandLine()
	f.set.Bool(&a.propose, "propose", false, "open a change request in place of changing it at once").Shared()
	f.set.Bool(&a.wait, "wait", false, "wait until a change request is approved and applied, and then until every sidecar serves it")
	f.set.Duration(&a.timeout, "timeout", 5*time.Minute, "how long --wait waits at most, for each of the two")
	f.set.String(&a.reason, "reason", "", "why, at most 500 bytes; it stays in the log for ever and cannot be erased: do not name a person").Short("m").Shared()
	f.check(func() bool { return isLine(a.reason) }, "--reason is one line of text")
	f.check(func() bool { return !a.prune || name.Source() != "" }, "--prune deletes what its source owns: name the source with --source")
	f.check(func() bool { return a.timeout > 0 }, "--timeout is longer than 0")
	f.check(func() bool { return !a.wait || !a.dryRun }, "--wait and --dry-run exclude each other")
	f.check(func() bool { return !a.wait || !a.impact }, "--wait and --preview exclude each other")
	f.checks = append(f.checks, func() error { return ownership.ValidateName(a.owner) })
	return f.runs(func(ctx context.Context, s *session) error {
		a.session, a.environment, a.dryRun = s, f.environment, a.dryRun || a.impact
		a.deadline = time.Now().Add(a.timeout)
		return a.run(ctx)
	})
}

// errMoved means that the environment has changed since it was read.
var errMoved = errors.New("the environment was changed meanwhile")

// run plans and carries out, and plans again what is left, or what has become of it, until there is nothing left to do.
func (a *applying) run(ctx context.Context) error {
	a.frozen = make(map[string]bool)
	a.report = report{Result: resultNothing, Source: a.owner, Changes: []planned{}}
	for range maxPlans {
		done, err := a.once(ctx)
		switch {
		case errors.Is(err, errMoved):
			if err := a.say("changed by others meanwhile: planning again"); err != nil {
				return err
			}
		case err != nil || done:
			return err
		}
	}
	return &failure{code: exitConflict, text: "the environment is changed faster than it can be planned: run the same again"}
}

// once makes one plan, and carries out its first part. It reports whether nothing is left to do.
func (a *applying) once(ctx context.Context) (done bool, err error) {
	live, err := a.read(ctx)
	if err != nil {
		return false, err
	}
	plan, err := a.plan(ctx, live)
	if err != nil {
		return false, err
	}
	a.report.Unchanged = plan.Unchanged
	switch {
	case len(plan.Parts) == 0:
		return true, a.ended(ctx)
	case a.dryRun:
		return true, a.preview(ctx, live, plan)
	}
	if err := a.show(plan); err != nil {
		return false, err
	}
	if err := a.confirm(ctx, plan); err != nil {
		return false, err
	}
	return a.carryOut(ctx, live, plan)
}

// liveDocuments are the documents of an environment as they were read.
type liveDocuments struct {
	documents []document.Document
	epoch     string // that their revisions belong to; empty if there are none
}

// token returns the revision of a change's base as the API takes it, empty if the document does not exist.
func (l *liveDocuments) token(c source.Change) string {
	if c.Base == 0 {
		return ""
	}
	return fmt.Sprintf("%s-%d", l.epoch, c.Base)
}

// read reads all documents of the environment.
func (a *applying) read(ctx context.Context) (l liveDocuments, err error) {
	return a.session.liveDocuments(ctx, a.environment)
}

// liveDocuments reads all documents of an environment.
func (s *session) liveDocuments(ctx context.Context, environment string) (l liveDocuments, err error) {
	body, seen, err := s.client.Document(ctx, environment, document.ID{Kind: document.KindSettings, Key: document.SettingsKey})
	if err != nil && !isAbsent(err) {
		return l, err
	}
	if err == nil {
		if err := l.add(document.KindSettings, document.SettingsKey, seen.Revision(), body); err != nil {
			return l, err
		}
	}
	for _, kind := range []document.Kind{document.KindSegment, document.KindFlag} {
		all, err := s.client.AllDocuments(ctx, environment, kind)
		if err != nil {
			return l, err
		}
		for _, d := range all {
			if err := l.add(kind, d.Key, d.Revision, d.Document); err != nil {
				return l, err
			}
		}
	}
	return l, nil
}

func (l *liveDocuments) add(kind document.Kind, key, revision string, body []byte) error {
	epoch, _, _ := strings.Cut(revision, "-")
	token, err := changelog.ParseToken(revision)
	switch {
	case err != nil:
		return fmt.Errorf("the publisher's answer: %w", err)
	case l.epoch != "" && l.epoch != epoch:
		return errMoved // to another history, between two reads
	}
	l.epoch = epoch
	l.documents = append(l.documents, document.Document{Kind: kind, Key: key, Revision: token.Revision, Body: body})
	return nil
}

// plan reads the files and plans what the environment needs.
func (a *applying) plan(ctx context.Context, live liveDocuments) (source.Plan, error) {
	rules, _ := eval.New().Update(live.documents)
	set, err := source.Read(a.path, rules, rules.Compatibility())
	if err != nil {
		return source.Plan{}, err
	}
	if err := set.Findings.Err(); err != nil {
		return source.Plan{}, &failure{code: exitInvalid, text: visible(err.Error())}
	}
	plan, err := a.planOf(live, rules, set, set.Documents)
	if err != nil {
		return plan, err
	}
	wanted, others, err := a.keepFrozen(ctx, live, set.Documents, plan)
	if err != nil || !others {
		return plan, err
	}
	return a.planOf(live, rules, set, wanted)
}

// planOf plans what the environment, whose rules are compiled, needs to become what files say that were read.
func (a *applying) planOf(live liveDocuments, rules *eval.Ruleset, set *source.Set, wanted []document.Document) (source.Plan, error) {
	plan, err := source.New(live.documents, wanted, source.Options{
		Owner: a.owner, Prune: a.prune, TakeOver: a.takeOver, Rules: rules, MaxDocuments: a.documents, MaxBytes: a.bytes,
	})
	if refusal, ok := errors.AsType[*source.Refusal](err); ok {
		return plan, &failure{code: exitInvalid, text: visible(strings.Join(set.Explain(refusal.Detail, refusal.Problems), "\n"))}
	}
	if err == nil && len(plan.Conflicts) > 0 {
		err = a.conflict(plan.Conflicts)
	}
	return plan, err
}

// conflict names what other sources own.
func (a *applying) conflict(all []source.Conflict) error {
	var lines []string
	for i, c := range all {
		if i == shownEffects {
			lines = append(lines, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s belongs to the source %s", words(string(c.Kind), c.Key), c.Owner))
	}
	lines = append(lines, "nothing is changed: remove it from these files, or make "+a.owner+" its owner with --take-over")
	return &failure{code: exitConflict, text: visible(strings.Join(lines, "\n"))}
}

// confirm asks whether what is deleted may go.
func (a *applying) confirm(ctx context.Context, plan source.Plan) error {
	var keys []string
	for _, c := range plan.Deletions() {
		keys = append(keys, words(string(c.Kind), c.Key))
	}
	slices.Sort(keys)
	named := strings.Join(keys, ", ")
	if len(keys) == 0 || a.yes || a.agreed == named {
		return nil
	}
	if !a.terminal.IsInteractive() {
		return &failure{code: exitFailure, text: fmt.Sprintf("nothing is changed: this deletes %s; say that you mean it with --yes", some(keys))}
	}
	answer, err := a.terminal.Ask(ctx, fmt.Sprintf("This deletes %s. Type yes to go on: ", some(keys)))
	if err != nil {
		return err
	}
	if answer != "yes" {
		return &failure{code: exitFailure, text: "nothing is changed"}
	}
	a.agreed = named
	return nil
}

// carryOut writes the parts of a plan, or opens a change request for the first that needs approvals. It reports whether nothing is left.
func (a *applying) carryOut(ctx context.Context, live liveDocuments, plan source.Plan) (done bool, err error) {
	for i, part := range plan.Parts {
		if i > 0 && a.propose {
			return false, nil // what is left is planned on what was applied
		}
		command := live.command(part)
		if a.propose {
			return a.request(ctx, live, part, command, len(plan.Changes())-len(part))
		}
		written, err := a.client.ChangeDocuments(ctx, a.environment, api.ChangeDocuments{Changes: command.Changes}, api.ChangeHeaders{Reason: a.reason})
		switch {
		case client.IsProblem(err, api.ProblemPreconditionFailed):
			return false, errMoved
		case client.IsProblem(err, api.ProblemApprovalRequired):
			return a.request(ctx, live, part, command, len(plan.Changes())-len(slices.Concat(plan.Parts[:i+1]...)))
		case err != nil:
			return false, a.interrupted(ctx, err)
		}
		a.wrote(live, part, written.Revision)
		a.report.Warnings = append(a.report.Warnings, written.Warnings...)
	}
	return true, a.ended(ctx)
}

// ended withdraws what is no longer needed, and prints what was done.
func (a *applying) ended(ctx context.Context) error {
	if !a.dryRun {
		if err := a.withdraw(ctx); err != nil {
			return err
		}
	}
	if err := a.finished(); err != nil {
		return err
	}
	sidecars := patience{wait: a.wait, timeout: a.timeout, percent: everyone}
	return sidecars.then(ctx, a.session, a.environment, a.report.Revision)
}

// interrupted says how to go on after an error of a call that changes something.
func (a *applying) interrupted(ctx context.Context, err error) error {
	f, ok := errors.AsType[*failure](a.session.failure(ctx, err))
	if !ok || f.code != exitUndecided {
		return err
	}
	return &failure{code: exitUndecided, text: strings.SplitN(f.text, "\n", 2)[0] + "\nrun the same again: what is done already is not done twice"}
}

// wrote notes that a part is in the environment.
func (a *applying) wrote(live liveDocuments, part []source.Change, revision string) {
	a.report.Result, a.report.Revision = resultApplied, revision
	a.report.Changes = append(a.report.Changes, live.planned(part, resultApplied)...)
}

func (l *liveDocuments) planned(part []source.Change, state string) (list []planned) {
	for _, c := range part {
		list = append(list, planned{Kind: string(c.Kind), Key: c.Key, Done: c.Done(), State: state, Base: l.token(c)})
	}
	return list
}

// command returns a part as a command of the API.
func (l *liveDocuments) command(part []source.Change) api.Command {
	command := api.Command{Type: "documents"}
	for _, c := range part {
		command.Changes = append(command.Changes, api.CommandChange{Kind: string(c.Kind), Key: c.Key, IfMatch: l.token(c), Document: c.After})
	}
	return command
}

// finished prints what was done.
func (a *applying) finished() error {
	return a.print(a.report, func(out io.Writer) error {
		text := fmt.Sprintf("nothing to do: %s in %s as the files say", counted(a.report.Unchanged, "document is", "documents are"), a.environment)
		if a.report.Result == resultApplied {
			text = fmt.Sprintf("applied to %s: %s: revision %s%s", a.environment, counts(a.report.Changes), cell(a.report.Revision), warnings(a.report.Warnings))
		}
		text += a.frozenText()
		for _, id := range a.report.Withdrawn {
			text += fmt.Sprintf("\nchange request %s is withdrawn: nothing that it changes is to be changed any more", printable(id))
		}
		_, err := fmt.Fprintln(out, text)
		return err
	})
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// counts says how many documents were added, changed and deleted.
func counts(all []planned) string {
	var texts []string
	for _, done := range []string{source.Added, source.Changed, source.Deleted} {
		n := 0
		for _, c := range all {
			if c.Done == done {
				n++
			}
		}
		if n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", n, done))
		}
	}
	return strings.Join(texts, ", ")
}
