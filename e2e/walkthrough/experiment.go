package main

import (
	"context"
	"strings"

	"github.com/flagside/flagside/internal/process"
)

// oldTest is an experiment that was never ended, as a document.
const oldTest = `{"state":"ENABLED","kind":"experiment","owner":"team-checkout","expires":"2020-01-31","variants":{"classic":"c","short":"s"},` +
	`"defaultVariant":"classic","targeting":{"fractional":[["classic",50],["short",50]]}}`

// experiment is a test that outlived its purpose, and ends as its policy wants.
func (w *walker) experiment(ctx context.Context) error {
	w.say("## An old experiment ends\n\n`checkout-ab` was to end long ago. Its owner has left it running.")
	if err := w.carry(ctx, step{who: "editor", line: "flag put checkout-ab -m 'SHOP-7 two checkouts' --propose", stdin: oldTest}); err != nil {
		return err
	}
	if err := w.awaitOutput(ctx, "activity", "lifecycle.expired"); err != nil {
		return err
	}
	err := w.all(ctx, step{who: "editor", line: "lifecycle", has: []string{"checkout-ab", "expired", "team-checkout"}})
	if err != nil {
		return err
	}
	w.say("The activity has told it, too. An administrator decides what becomes of such experiments: everyone gets the classic checkout. `--dry-run` shows what\n" +
		"that is about.")
	policy := step{
		who: "oncall", line: "environment lifecycle prod --on-expiry experiment=freeze --freeze-to experiment=classic", has: []string{"checkout-ab"},
	}
	dry := policy
	dry.line += " --dry-run"
	policy.line += " -m 'tests end'"
	if err := w.all(ctx, dry, policy); err != nil {
		return err
	}
	if err := w.awaitOutput(ctx, "lifecycle", "waiting"); err != nil {
		return err
	}
	output, err := w.run(ctx, step{who: "editor", line: "lifecycle", has: []string{"freeze to classic"}})
	if err != nil {
		return err
	}
	id, err := after(output, "request ")
	if err != nil {
		return err
	}
	w.say("`prod` is protected, so freezing is a change request like any other. Another person reads what it changes, and approves.")
	if output, err = w.run(ctx, step{who: "approver", line: "request get " + id, has: []string{"checkout-ab"}}); err != nil {
		return err
	}
	hash, err := after(output, "hash ")
	if err != nil {
		return err
	}
	if err := w.agree(ctx, request{id, hash}); err != nil {
		return err
	}
	if err := w.settle(ctx, id); err != nil {
		return err
	}
	for _, visitor := range []string{`{"targetingKey":"u1"}`, `{"targetingKey":"u2"}`} {
		if err := w.ask(ctx, "checkout-ab", visitor, "classic"); err != nil {
			return err
		}
	}
	return w.all(ctx, step{who: "editor", line: "flag get checkout-ab", has: []string{"classic"}})
}

// awaitOutput waits until a command of the editor prints a text.
func (w *walker) awaitOutput(ctx context.Context, line, text string) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return process.Await(within, line+" prints "+text, func() bool {
		output, _, err := w.execute(ctx, step{who: "editor", line: line})
		return err == nil && strings.Contains(output, text)
	})
}
