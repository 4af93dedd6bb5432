package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/flagside/flagside/internal/process"
)

// The documents of the story.
const (
	testers  = `{"in":[{"var":"email"},["ann@shop.example"]]}`
	wider    = `{"ends_with":[{"var":"email"},"@shop.example"]}`
	checkout = `{"state":"ENABLED","variants":{"new":true,"old":false},"defaultVariant":"old","tags":["checkout"]}`
	forTests = `{"targeting":{"if":[{"$ref":"testers"},"new","old"]}}`
	everyone = `{"targetingKey":"u4"}`
	ann      = `{"targetingKey":"u1","email":"ann@shop.example"}`
)

// walk is the story. It ends early when a step cannot be made at all.
func (w *walker) walk(ctx context.Context) error {
	w.say("# Walkthrough\n\n`make walkthrough` runs everything on this page with the programs as released, checks each outcome, and writes the page.\n" +
		"Ids, hashes, epochs and times are replaced by names that stay the same.\n\n" +
		"The publisher runs with `--data-dir` and the default policies; a sidecar follows the environment `prod`. All people have set\n" +
		"`FLAGSIDE_ENVIRONMENT=prod` and `FLAGSIDE_TOKEN_FILE`.")
	for _, chapter := range []func(context.Context) error{
		w.prepare, w.daily, w.arrive, w.approve, w.goStale, w.breakGlass, w.schedule, w.rollBack, w.git, w.experiment, w.proxy, w.outage, w.surprises,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

// all runs steps of which nothing is needed later.
func (w *walker) all(ctx context.Context, steps ...step) error {
	for _, s := range steps {
		if _, err := w.run(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// request is a change request as its author was told of it.
type request struct{ id, hash string }

func (w *walker) propose(ctx context.Context, s step) (request, error) {
	output, err := w.run(ctx, s)
	if err != nil {
		return request{}, err
	}
	id, err := after(output, "change request ")
	if err != nil {
		return request{}, err
	}
	hash, err := after(output, "hash ")
	return request{id, hash}, err
}

// agree makes the approver approve.
func (w *walker) agree(ctx context.Context, r request) error {
	return w.all(ctx, step{
		who: "approver", line: "request approve " + r.id + " --hash " + r.hash, has: []string{"is approved; approvals: 1 of 1"},
	})
}

// apply makes the editor apply.
func (w *walker) apply(ctx context.Context, r request) error {
	return w.all(ctx, step{who: "editor", line: "request apply " + r.id, has: []string{"is applied; revision "}})
}

func (w *walker) prepare(ctx context.Context) error {
	w.say("## Who is who\n\nThe first token is in the data directory of the publisher. Create a token for each person with it, then put it away.\n" +
		"A token cannot review what was done with the token it was created with.")
	if err := w.all(ctx, step{who: "admin", line: "environment create prod", has: []string{"environment prod is created"}}); err != nil {
		return err
	}
	for _, who := range []string{"editor", "approver", "oncall"} {
		group := "flagside:" + who
		if who == "oncall" {
			group = "flagside:admin"
		}
		if err := w.join(ctx, who, group); err != nil {
			return err
		}
	}
	return w.all(ctx, step{who: "editor", line: "whoami", has: []string{"flagside:editor"}})
}

// join gives a person a token of a group.
func (w *walker) join(ctx context.Context, who, group string) error {
	file := who + "-token"
	output, err := w.run(ctx, step{
		who: "admin", line: "token create " + who + " --group " + group + " --secret-file " + file, has: []string{"is created"},
	})
	if err != nil {
		return err
	}
	id, err := after(output, "token ")
	if err != nil {
		return err
	}
	w.Name(id, (who + "0000000000000")[:len(id)]) // as long, so that columns stay straight
	w.ids[who], w.tokens[who] = id, filepath.Join(w.dir, file)
	return nil
}

// daily is what people do each day, in an environment where one may.
func (w *walker) daily(ctx context.Context) error {
	w.say("## Each day\n\n`team` is not protected, so the editor works alone. Daily changes need no JSON.")
	team := []step{
		{who: "admin", line: "environment create team", has: []string{"not protected"}},
		{who: "editor", line: "flag create chat --bool -e team", has: []string{"flag chat is created"}},
		{who: "editor", line: "flag rollout chat on=10 -e team", has: []string{"flag chat is rolled out: on=10"}},
		{who: "editor", line: "segment put staff -e team", stdin: `{"in":[{"var":"email"},["bob@shop.example"]]}`, has: []string{"segment staff is written"}},
		{who: "editor", line: "segment add staff ann@shop.example -e team", has: []string{"segment staff: added ann@shop.example"}},
		{who: "editor", line: "flag toggle chat off -e team", has: []string{"flag chat is off"}},
		{who: "editor", line: "flag rollback chat -e team", has: []string{"flag chat is what it was"}},
		{who: "editor", line: "flag evaluate chat --context targetingKey=u1 -e team", has: []string{"answer"}},
		{who: "editor", line: "flag list --all-environments", has: []string{"TEAM", "by rule"}},
		{who: "editor", line: "flag history chat -e team", has: []string{"token editor"}},
		{who: "editor", line: "flag toggel chat off -e team", code: 2, has: []string{"did you mean flagside flag toggle?"}},
	}
	return w.all(ctx, team...)
}

// arrive is a person who knows the program by its help alone.
func (w *walker) arrive(ctx context.Context) error {
	w.say("## From help alone\n\nA newcomer has a token and has read nothing. Five tasks: toggle the flag `search`, roll it out to 10 %, add a person to the segment\n" +
		"`staff`, undo, and see who changed what. Help begins with a list of commands.")
	if err := w.join(ctx, "newcomer", "flagside:editor"); err != nil {
		return err
	}
	if err := w.all(ctx, step{who: "editor", line: "flag create search --bool -e team", has: []string{"flag search is created"}}); err != nil {
		return err
	}
	const who = "newcomer"
	for _, part := range []struct {
		text  string
		steps []step
	}{
		{"", []step{{who: who, line: "help", has: []string{"roll out", "list what happened in an environment"}}}},
		{"**Toggle and roll out.** `flag` lists the verbs, `help flag VERB` shows examples.", []step{
			{who: who, line: "flag", has: []string{"flag toggle KEY STATE", "flag rollout KEY", "flag rollback KEY"}},
			{who: who, line: "help flag toggle", brief: true, has: []string{"Turns a flag on or off"}},
			{who: who, line: "flag toggle search off -e team", has: []string{"flag search is off: revision"}},
			{who: who, line: "flag toggle search on -e team", has: []string{"flag search is on: revision"}},
			{who: who, line: "help flag rollout", brief: true, has: []string{"on=10 -e prod"}},
			{who: who, line: "flag rollout search on=10 -e team", has: []string{"flag search is rolled out: on=10: revision"}},
		}},
		{"**Add a person to a segment.**", []step{
			{who: who, line: "segment", has: []string{"segment add KEY VALUE"}},
			{who: who, line: "help segment add", brief: true, has: []string{"segment add testers ann@shop.example"}},
			{who: who, line: "segment add staff cem@shop.example -e team", has: []string{"added cem@shop.example"}},
		}},
		{"**Undo.** The list of verbs says that `rollback` undoes the last change. Here that is the rollout.", []step{
			{who: who, line: "help flag rollback", brief: true, has: []string{"before its last change"}},
			{who: who, line: "flag rollback search -e team", has: []string{"flag search is what it was"}},
		}},
		{"**See who changed what.** The list of commands has `activity`.", []step{
			{who: who, line: "help activity", brief: true, has: []string{"Lists what happened in an environment"}},
			{who: who, line: "activity -e team --limit 8", has: []string{"token newcomer", "token editor"}},
		}},
	} {
		if part.text != "" {
			w.say(part.text)
		}
		if err := w.all(ctx, part.steps...); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) approve(ctx context.Context) error {
	w.say("## A risky change needs a second person\n\nEverything in `prod` is risky: that is the default. The editor may not change it alone.")
	put := step{who: "editor", line: "flag put new-checkout -m 'SHOP-1 a new checkout'", stdin: checkout}
	refused, dry := put, put
	refused.code, refused.has = 7, []string{"risk: The environment is protected."}
	dry.line += " --dry-run"
	dry.has = []string{"approvals needed: 1"}
	if err := w.all(ctx, refused, dry); err != nil {
		return err
	}
	put.line += " --propose"
	r, err := w.propose(ctx, put)
	if err != nil {
		return err
	}
	w.say("The approver sees what it is, what is at stake, and what it changes. The hash says what exactly is approved.")
	err = w.all(ctx,
		step{who: "approver", line: "request list --status open", has: []string{"0 of 1", "flag new-checkout"}},
		step{who: "approver", line: "request get " + r.id, has: []string{"risk: high", r.hash}},
		step{who: "editor", line: "request approve " + r.id + " --hash " + r.hash, code: 3, has: []string{"your own change request"}},
	)
	if err != nil {
		return err
	}
	if err := w.agree(ctx, r); err != nil {
		return err
	}
	if err := w.apply(ctx, r); err != nil {
		return err
	}
	w.say("The sidecar has it a moment later, and the log says who did it, who agreed, and why.")
	if err := w.ask(ctx, "new-checkout", everyone, "old"); err != nil {
		return err
	}
	return w.all(ctx, step{who: "editor", line: "flag history new-checkout", has: []string{"SHOP-1 a new checkout"}})
}

func (w *walker) goStale(ctx context.Context) error {
	w.say("## A stale approval is refused\n\nThe new checkout is to be for testers, and so far only Ann is one.")
	if err := w.carry(ctx, step{who: "editor", line: "segment put testers --propose", stdin: testers}); err != nil {
		return err
	}
	first, err := w.propose(ctx, step{who: "editor", line: "flag patch new-checkout -m 'SHOP-2 for testers' --propose", stdin: forTests})
	if err != nil {
		return err
	}
	w.say("Before that is approved, the segment grows: all of the company are testers now.")
	if err := w.carry(ctx, step{who: "editor", line: "segment put testers -m 'SHOP-3 all of us' --propose", stdin: wider}); err != nil {
		return err
	}
	w.say("What the first request was made from has changed under it, though the flag itself has not: it would reach more people than the\n" +
		"approver has read of. It cannot be approved as it was. Its author rebases it, and another person reads and approves it again.")
	if err := w.all(ctx, step{
		who: "approver", line: "request approve " + first.id + " --hash " + first.hash, code: 4, has: []string{"changed: segment testers"},
	}); err != nil {
		return err
	}
	if err := w.carry(ctx, step{who: "editor", line: "request rebase " + first.id, has: []string{"is updated to the current state"}}); err != nil {
		return err
	}
	return w.ask(ctx, "new-checkout", ann, "new")
}

// carry proposes a change, and has it approved and applied.
func (w *walker) carry(ctx context.Context, s step) error {
	r, err := w.propose(ctx, s)
	if err != nil {
		return err
	}
	if err := w.agree(ctx, r); err != nil {
		return err
	}
	return w.apply(ctx, r)
}

func (w *walker) breakGlass(ctx context.Context) error {
	w.say("## Breaking the glass\n\nAt night the new checkout fails, and no approver answers. The administrator on call turns it off alone, with a reason.")
	broken, err := w.run(ctx, step{
		who: "oncall", line: "flag toggle new-checkout off --break-glass -m 'checkout fails, no approver answers'", has: []string{"ask another person to run flagside request review"},
	})
	if err != nil {
		return err
	}
	id, err := after(broken, "change request ")
	if err != nil {
		return err
	}
	w.say("The review stays open until another person closes it. The author cannot.")
	return w.all(ctx,
		step{who: "approver", line: "request list --status applied", has: []string{"applied, to be reviewed"}},
		step{who: "oncall", line: "request review " + id, code: 3, has: []string{"your own change"}},
		step{who: "approver", line: "request review " + id + " -m 'was right, see SHOP-4'", has: []string{"is reviewed"}},
	)
}

func (w *walker) schedule(ctx context.Context) error {
	w.say("## A scheduled change\n\nThe repaired checkout is to reach all users at a set time. The publisher applies it then, if nothing has\n" +
		"moved and policies still permit it.")
	r, err := w.propose(ctx, step{
		who: "editor", line: "flag patch new-checkout -m 'SHOP-5 launch' --apply-at 4s --late 10m", stdin: `{"state":"ENABLED","targeting":null,"defaultVariant":"new"}`,
	})
	if err == nil {
		err = w.agree(ctx, r)
	}
	if err == nil {
		err = w.ask(ctx, "new-checkout", everyone, "new")
	}
	if err != nil {
		return err
	}
	if err := w.settle(ctx, r.id); err != nil {
		return err
	}
	return w.all(ctx, step{who: "editor", line: "request get " + r.id, has: []string{"applied "}})
}

// settle waits until a request is recorded as applied, which is a moment after its change is.
func (w *walker) settle(ctx context.Context, id string) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return process.Await(within, "request "+id, func() bool {
		output, code, err := w.execute(ctx, step{who: "editor", line: "request get " + id})
		return err == nil && code == 0 && strings.Contains(strings.Join(strings.Fields(output), " "), " status applied ")
	})
}

func (w *walker) rollBack(ctx context.Context) error {
	w.say("## Rolling back\n\nThe launch was too early. The history has the revision before it, which becomes a new change; nothing is erased.")
	history, err := w.run(ctx, step{who: "editor", line: "flag history new-checkout"})
	if err != nil {
		return err
	}
	revisions := strings.Split(history, "\n")
	if len(revisions) < 4 {
		return fmt.Errorf("the history is %s", history)
	}
	before, _, _ := strings.Cut(revisions[3], " ") // the title, the launch, the night, and what was there before
	r, err := w.propose(ctx, step{who: "editor", line: "flag rollback new-checkout --to " + before + " -m 'SHOP-6 too early' --propose"})
	if err != nil {
		return err
	}
	if err := w.all(ctx, step{who: "approver", line: "request get " + r.id, has: []string{"as proposed"}}); err != nil {
		return err
	}
	if err := w.agree(ctx, r); err != nil {
		return err
	}
	if err := w.apply(ctx, r); err != nil {
		return err
	}
	if err := w.ask(ctx, "new-checkout", everyone, "old"); err != nil {
		return err
	}
	if err := w.all(ctx, step{who: "editor", line: "flag history new-checkout", has: []string{"SHOP-6 too early", "SHOP-1 a new checkout"}}); err != nil {
		return err
	}
	w.say("The ledger of the environment says who decided what, and who was refused.")
	return w.all(ctx,
		step{who: "approver", line: "audit --request " + r.id, has: []string{"request.opened", "request.approved", "request.claimed"}},
		step{who: "approver", line: "audit --actor token:" + w.ids["oncall"] + " --since 1h", has: []string{"refused", "request.opened"}},
	)
}
