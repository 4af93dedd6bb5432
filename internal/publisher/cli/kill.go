package cli

import (
	"context"

	"github.com/flagside/flagside/internal/commandline"
)

func killCommand() commandline.Invocation {
	var key string
	f := newForm("kill", "Turns a flag off, waits until every sidecar serves that, and says how long it took. Applications get their own default, and flags that have it as "+
		"a prerequisite answer their offVariant. Policies decide as for any change.").inEnvironment()
	flagKind().key(f, &key)
	w := f.remarks()
	var breakGlass bool
	wait := &patience{wait: true, percent: everyone, clients: true}
	f.set.Bool(&breakGlass, "break-glass", false, "do it without the approvals that it needs; it must be reviewed afterwards")
	f.waitTime(&wait.timeout, "how long to wait for sidecars at most")
	f.check(func() bool { return !breakGlass || w.reason != "" }, "--break-glass needs a --reason")
	return f.runs(func(ctx context.Context, s *session) error {
		c := flagKind().change(f, key, "toggle")
		c.done = "flag " + printable(key) + " is off"
		s.urgent = "flagside flag toggle " + shellWord(key) + " off -e " + f.environment
		change := &changeFlags{auditFlags: *w, breakGlass: breakGlass, patience: wait}
		return change.writeExisting(ctx, s, c)
	})
}
