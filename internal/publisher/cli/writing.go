package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/flagside/flagside/internal/publisher/admin"
)

// change is something to be done to the documents of an environment: as a request of its own, and as a command in previews and change
// requests.
type change struct {
	admin.Call

	environment string
	command     admin.Command
	done        string // what is said when it is done
	hint        string // what is said after that, if anything
}

// seen is what the author of a change has seen: a revision of the document, or that there is none.
type seen struct {
	match  string
	absent bool
}

// on adds the precondition to a change.
func (v seen) on(c change) change {
	c.IfMatch, c.IfAbsent = v.match, v.absent
	c.command.IfMatch, c.command.IfAbsent = v.match, v.absent
	return c
}

// writing are the options of everything that changes documents.
type writing struct {
	remark

	match, rebase    string
	dryRun, propose  bool
	breakGlass       bool
	applyAt, expires string
	late             time.Duration
}

// remark are the options of everything that changes something.
type remark struct{ reason, key string }

// remarks declares the options of what changes something.
func (f *form) remarks() *remark {
	r := &remark{}
	r.declare(f)
	return r
}

func (r *remark) declare(f *form) {
	f.changing = true
	f.set.String(&r.reason, "reason", "", "why, at most 500 bytes; it stays in the log for ever and cannot be erased: do not name a person").Short("m").Shared()
	f.set.String(&r.key, "idempotency-key", "", "text of your own that makes it safe to repeat this within a day; without it a random one").Shared()
	f.check(func() bool { return isLine(r.reason) }, "--reason is one line of text")
}

func isLine(text string) bool { return !strings.ContainsFunc(text, unicode.IsControl) }

// on adds the options to a call.
func (r *remark) on(c admin.Call) admin.Call {
	c.Reason, c.Key = r.reason, cmp.Or(r.key, rand.Text()) // so that it can be repeated when its answer is lost
	return c
}

// administration are the options of what is done to more than documents, which has no change requests.
type administration struct {
	reason     string
	breakGlass bool
}

// administers declares the options of what is done to more than documents.
func (f *form) administers() *administration {
	return f.administersFor("why, at most 500 bytes; it stays in a signed record for ever and cannot be erased: do not name a person")
}

// administersFor is administers with what to say about the reason.
func (f *form) administersFor(reason string) *administration {
	a := &administration{}
	f.changing = true
	f.set.String(&a.reason, "reason", "", reason).Short("m")
	f.check(func() bool { return isLine(a.reason) }, "--reason is one line of text")
	f.set.Bool(&a.breakGlass, "break-glass", false, "do it without the required approvals, if the policies allow that")
	f.check(func() bool { return !a.breakGlass || a.reason != "" }, "--break-glass needs a --reason")
	return a
}

// on adds the options to a call.
func (a *administration) on(c admin.Call) admin.Call {
	c.Reason, c.BreakGlass = a.reason, a.breakGlass
	return c
}

// writes declares the options of a change of one document.
func (f *form) writes() *writing {
	w := f.changes()
	f.revision(&w.match, "if-match", "revision that the document must have; without it the one that it has now").Shared()
	return w
}

// changes declares the options of a change of documents.
func (f *form) changes() *writing {
	w := &writing{}
	w.declare(f)
	f.set.Bool(&w.dryRun, "dry-run", false, "say what would change, what is at stake and who would have to agree, and change nothing").Shared()
	f.set.Bool(&w.propose, "propose", false, "open a change request in place of changing it at once").Shared()
	f.set.String(&w.rebase, "rebase", "", "id of your change request that is replaced with this change").Shared()
	f.set.String(&w.applyAt, "apply-at", "", "open a change request that is applied at this time, such as 2030-01-31T08:00:00Z, or after this time, such as 2h").Shared()
	f.set.Duration(&w.late, "late", 0, "how late a scheduled change may still be applied after an outage; 0 is any time").Shared()
	f.set.String(&w.expires, "expires", "", "when the change request is given up, like --apply-at; without it after 30 days").Shared()
	f.set.Bool(&w.breakGlass, "break-glass", false, "change it without the approvals that it needs; it has to be reviewed afterwards").Shared()
	f.check(func() bool { return !w.breakGlass || w.reason != "" && w.applyAt == "" }, "--break-glass needs a --reason, and cannot wait for a time")
	f.check(func() bool { return w.late == 0 || w.applyAt != "" }, "--late is for changes with --apply-at")
	f.check(func() bool { return isTime(w.applyAt) && isTime(w.expires) },
		"--apply-at and --expires are times such as 2030-01-31T08:00:00Z, or durations from now such as 2h")
	return w
}

// isTime reports whether timeOf can read text. No text is no time.
func isTime(text string) bool {
	_, err := timeOf(text, time.Time{})
	return err == nil
}

// timeOf reads a time, or a duration from now.
func timeOf(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d).UTC(), nil
	}
	return time.Parse(time.RFC3339, text)
}

// look returns what is seen of a document: the revision, or without one what it has now, which may be nothing.
func (s *session) look(ctx context.Context, path []string, match string) (seen, error) {
	v, err := s.existing(ctx, path, match)
	if isAbsent(err) {
		return seen{absent: true}, nil
	}
	return v, err
}

// isAbsent reports whether an error tells that a document does not exist in an environment that does.
func isAbsent(err error) bool { return isProblem(err, "not-found") }

// isProblem reports whether an error is a problem of the API with the name.
func isProblem(err error, name string) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.problem == problemType+name
}

// existing is look for a document that must exist.
func (s *session) existing(ctx context.Context, path []string, match string) (seen, error) {
	if match != "" {
		return seen{match: strings.Trim(match, `"`)}, nil
	}
	found, err := s.do(ctx, admin.Call{Path: path})
	if err != nil {
		return seen{}, err
	}
	return seen{match: revision(found.Header)}, nil
}

// write makes a change, or what the options ask for instead, and prints what became of it.
func (w *writing) write(ctx context.Context, s *session, c change) error {
	switch {
	case w.dryRun:
		return w.preview(ctx, s, c)
	case w.propose || w.rebase != "" || w.breakGlass || w.applyAt != "":
		return w.open(ctx, s, c)
	}
	found, err := s.do(ctx, w.on(c.Call))
	if err != nil {
		return err
	}
	return s.print(found.Body, func(out io.Writer, value any) error {
		done := c.done
		if c.command.Type == "rollback" && deletes(value) {
			done += ", which is not there: it is deleted"
		}
		if err := written(out, value, done); err != nil || c.hint == "" {
			return err
		}
		_, err := fmt.Fprintln(out, c.hint)
		return err
	})
}

// written says what became of a change.
func written(out io.Writer, value any, done string) error {
	text := fmt.Sprintf("%s: revision %s", done, cell(find(value, "revision")))
	if find(value, "changed") == false {
		text = done + ": nothing to change"
	}
	text += effects(value)
	_, err := fmt.Fprintln(out, text+warnings(value))
	return err
}

// deletes reports whether a change of one document has deleted it.
func deletes(value any) bool {
	all, _ := find(value, "effects").([]any)
	return len(all) == 1 && word(all[0], "done") == "deleted"
}

// warnings returns a line for each slip that is tolerated, with what to do about it; each begins with a line break.
func warnings(value any) (text string) {
	all, _ := find(value, "warnings").([]any)
	for _, warning := range all {
		text += "\nwarning: " + strings.Join(present(
			word(warning, "kind"), word(warning, "key"), word(warning, "pointer"), word(warning, "reason"),
		), " ")
		if hint := word(warning, "hint"); hint != "" {
			text += " (" + hint + ")"
		}
	}
	return text
}

// shownEffects is how many documents are named for each thing that was done to some.
const shownEffects = 20

// effects names the documents of a change of several, by what was done to them.
func effects(value any) (text string) {
	all, _ := find(value, "effects").([]any)
	if len(all) < 2 {
		return ""
	}
	for _, done := range []string{"added", "changed", "deleted"} {
		var named []string
		for _, effect := range all {
			if word(effect, "done") == done {
				named = append(named, word(effect, "kind")+" "+word(effect, "key"))
			}
		}
		if more := len(named) - shownEffects; more > 0 {
			named = append(named[:shownEffects], fmt.Sprintf("%d more", more))
		}
		if len(named) > 0 {
			text += "\n" + done + ": " + strings.Join(named, ", ")
		}
	}
	return text
}

// word returns the text at a path, empty if there is none.
func word(value any, path string) string {
	text, _ := find(value, path).(string)
	return printable(text)
}
