package main

import "context"

// The documents of what goes wrong.
const (
	inYAML    = "# sold everywhere\nstate: ENABLED\nvariants: {on: true, off: false}\ndefaultVariant: off\n"
	halfYAML  = "state: ENABLED\nvariants: {on: true, off: false}\ndefaultVariant: of\n"
	misspelt  = `{"targeting":{"fractional":[["on",50],["of",50]]}}`
	twoRules  = `{"targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on","off"],"fractional":[["on",50],["off",50]]}}`
	weightOff = `{"targeting":{"fractional":[["on",0],["off",0]]}}`
)

// surprises goes through mistakes that people make, and what they are told.
func (w *walker) surprises(ctx context.Context) error {
	w.say("## What would have been a surprise\n\nMistakes are reported before they reach production, with the remedy. First, what protects an environment, and what does not.")
	chapters := []func(context.Context) error{w.protection, w.rules, w.lostWork, w.whatHappened}
	for _, chapter := range chapters {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) protection(ctx context.Context) error {
	return w.all(ctx,
		step{who: "admin", line: "environment create prod-eu", has: []string{"not protected", "looks like one of production"}},
		step{who: "admin", line: "environment risk prod-eu --protected=true", has: []string{"protected   true", "security, payments"}},
		step{who: "admin", line: "environment create trial --protected=false", has: []string{"not protected"}},
		step{who: "admin", line: "token create helper --group editor", code: 2, has: []string{"flagside:editor"}},
	)
}

func (w *walker) rules(ctx context.Context) error {
	w.say("A rule that could never answer is refused with its place, in JSON and in YAML.")
	return w.all(ctx,
		step{who: "editor", line: "flag put banner -e trial", stdin: halfYAML, code: 9, has: []string{":3:17: flag banner /defaultVariant"}},
		step{who: "editor", line: "flag put banner -e trial", stdin: inYAML, has: []string{"flag banner is written"}},
		step{who: "editor", line: "flag patch banner -e trial", stdin: misspelt, code: 9, has: []string{`"of"`}},
		step{who: "editor", line: "flag patch banner -e trial", stdin: twoRules, code: 9, has: []string{"/targeting"}},
		step{who: "editor", line: "flag patch banner -e trial", stdin: weightOff, code: 9, has: []string{"/targeting"}},
		step{who: "editor", line: "flag toggle banner off -e trial --apply-at 2020-01-31T08:00:00Z", code: 9, has: []string{"has passed"}},
		step{who: "editor", line: "promote --from trial --flag baner", code: 5, has: []string{"baner"}},
		step{who: "editor", line: "promote --from trial --flag banner --dry-run", has: []string{"approvals needed: 1"}},
		step{who: "editor", line: "flag diff baner -e trial --with prod", code: 5, has: []string{"baner"}},
	)
}

func (w *walker) lostWork(ctx context.Context) error {
	w.say("A change without approvals is not applied, and the answer says how to get them. Bring back what was deleted or archived with `revive`.")
	r, err := w.propose(ctx, step{who: "editor", line: "flag put banner --propose", stdin: inYAML})
	if err != nil {
		return err
	}
	return w.all(ctx,
		step{who: "editor", line: "request apply " + r.id, code: 7, has: []string{"request approve " + r.id}},
		step{who: "editor", line: "request withdraw " + r.id, has: []string{"is withdrawn"}},
		step{who: "editor", line: "flag archive banner -e trial", has: []string{"flag revive banner -e trial brings it back"}},
		step{who: "editor", line: "flag revive banner -e trial", has: []string{"is back as it was"}},
		step{who: "admin", line: "environment archive trial", has: []string{"environment revive trial brings it back"}},
		step{who: "editor", line: "flag list -e trial", code: 4, has: []string{"archived"}},
		step{who: "admin", line: "environment revive trial", has: []string{"is in use again, with 1 flags"}},
	)
}

func (w *walker) whatHappened(ctx context.Context) error {
	w.say("One list shows what happened in an environment, deleted flags included.")
	return w.all(ctx,
		step{who: "editor", line: "activity -e trial --since 1d", has: []string{"environment.revived", "(deleted)"}},
		step{who: "editor", line: "activity --flag new-checkout --limit 3", has: []string{"change", "SHOP-6 too early"}},
		step{who: "approver", line: "request list --needs-review", has: []string{"REQUEST"}},
	)
}
