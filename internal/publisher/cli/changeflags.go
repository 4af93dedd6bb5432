package cli

import (
	"cmp"
	"crypto/rand"
	"strings"
	"time"
	"unicode"

	"github.com/flagside/flagside/internal/publisher/api"
)

// changeFlags are the options of everything that changes documents.
type changeFlags struct {
	auditFlags
	*patience // nil if the command does not wait

	match, rebase    string
	dryRun, propose  bool
	impact           bool // beside what a dry run says
	breakGlass       bool
	applyAt, expires string
	late             time.Duration
}

// auditFlags are the options of everything that changes something.
type auditFlags struct {
	reason, key string
	inUse       bool // of what removes flags
}

// remarks declares the options of what changes something.
func (f *form) remarks() *auditFlags {
	r := &auditFlags{}
	r.declare(f)
	return r
}

func (r *auditFlags) declare(f *form) {
	f.changing = true
	f.set.String(&r.reason, "reason", "", "why, at most 500 bytes; it stays in the log for ever and cannot be erased: do not name a person").Short("m").Shared()
	f.set.String(&r.key, "idempotency-key", "", "text of your choice that makes it safe to repeat this command within a day; without it a random one").Shared()
	f.check(func() bool { return isLine(r.reason) }, "--reason is one line of text")
}

func isLine(text string) bool { return !strings.ContainsFunc(text, unicode.IsControl) }

// headers returns the options as they are sent, with a key: so that the change can be repeated when its answer is lost.
func (r *auditFlags) headers() api.ChangeHeaders {
	return api.ChangeHeaders{Reason: r.reason, IdempotencyKey: cmp.Or(r.key, rand.Text()), InUse: r.inUse}
}

// administers declares the options of what is done to more than documents.
func (f *form) administers() *api.AdministrationHeaders {
	return f.administersFor("why, at most 500 bytes; it stays in a signed record for ever and cannot be erased: do not name a person")
}

// administersFor is administers with what to say about the reason.
func (f *form) administersFor(reason string) *api.AdministrationHeaders {
	a := &api.AdministrationHeaders{}
	f.changing = true
	f.set.String(&a.Reason, "reason", "", reason).Short("m")
	f.check(func() bool { return isLine(a.Reason) }, "--reason is one line of text")
	f.set.Bool(&a.BreakGlass, "break-glass", false, "do it without the approvals that policies require, if they permit that; it must be reviewed afterwards")
	f.check(func() bool { return !a.BreakGlass || a.Reason != "" }, "--break-glass needs a --reason")
	return a
}

// writes declares the options of a change of one document.
func (f *form) writes() *changeFlags {
	w := f.changes()
	f.revision(&w.match, "if-match", "revision that the document must have; without it the one that it has now").Shared()
	return w
}

// changes declares the options of a change of documents.
func (f *form) changes() *changeFlags {
	w := &changeFlags{}
	w.declare(f)
	f.set.Bool(&w.dryRun, "dry-run", false, "say what would change, how risky it is and who must approve it, and change nothing").Shared()
	f.set.Bool(&w.impact, "preview", false, "as --dry-run, and ask sidecars how many recent evaluations would get another answer").Shared().OnlyOnCommandLine()
	f.set.Bool(&w.propose, "propose", false, "open a change request instead of changing it at once").Shared()
	f.set.String(&w.rebase, "rebase", "", "id of your change request to replace with this change").Shared()
	f.set.String(&w.applyAt, "apply-at", "", "open a change request that is applied at this time, such as 2030-01-31T08:00:00Z, or after this time, such as 2h").Shared()
	f.set.Duration(&w.late, "late", 0, "how late a scheduled change may still be applied after an outage; 0 is any time").Shared()
	f.set.String(&w.expires, "expires", "", "when the change request expires, in the form of --apply-at; without it after 30 days").Shared()
	f.set.Bool(&w.breakGlass, "break-glass", false, "change it without the approvals that it needs; it must be reviewed afterwards").Shared()
	w.patience = f.waits()
	f.check(func() bool { return !w.wait || !w.dryRun && !w.impact && !w.propose && w.applyAt == "" }, "--wait is for what is changed at once")
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
