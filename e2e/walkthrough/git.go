package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// The flags of a team in git, and a mistake in them.
const (
	inGit = `# The flags of the search team.
flags:
  search-suggestions:
    owner: search
    state: ENABLED
    variants: {on: true, off: false}
    defaultVariant: on # since June
`
	source = " --source github.com/shop/search"
)

// git is a team whose flags lie in git: a job of CI applies them, and another person approves where that is needed.
func (w *walker) git(ctx context.Context) error {
	w.say("## Flags in git\n\nThe search team keeps its flags in git, in `flags/search.yaml`. A hook and CI check them without a publisher, and a job applies them\n" +
		"to `prod` when they are merged. It has a token of its own, which may do what editors may.")
	output, err := w.run(ctx, step{
		who: "admin", line: "token create ci --group flagside:editor --secret-file ci-token", has: []string{"is created"},
	})
	if err != nil {
		return err
	}
	id, err := after(output, "token ")
	if err != nil {
		return err
	}
	w.Name(id, "ci0000000000000"[:len(id)])
	w.ids["ci"], w.tokens["ci"] = id, filepath.Join(w.dir, "ci-token")
	if err := w.edit(inGit); err != nil {
		return err
	}
	w.Add("```yaml\n%s```\n\n", inGit)
	apply := step{who: "ci", line: "apply -f flags" + source + " -m 'SEARCH-1 merged'", code: 7, has: []string{"added: flag search-suggestions", "waits for approval"}}
	if err := w.all(ctx, step{who: "ci", line: "validate flags", has: []string{"1 flag in 1 file: good"}}); err != nil {
		return err
	}
	r, err := w.propose(ctx, apply)
	if err != nil {
		return err
	}
	w.say("The job ends with exit code 7: pending. With `--wait` it would wait. Run again before anyone has approved, it finds its request and opens no second.")
	if err := w.agree(ctx, r); err != nil {
		return err
	}
	apply.code, apply.has = 0, []string{"applied to prod: 1 added"}
	if err := w.all(ctx, apply); err != nil {
		return err
	}
	if err := w.ask(ctx, "search-suggestions", everyone, "on"); err != nil {
		return err
	}
	apply.has = []string{"nothing to do"}
	err = w.all(ctx, apply,
		step{who: "editor", line: "apply -f flags --source github.com/shop/other", code: 4, has: []string{"belongs to the source github.com/shop/search"}},
		step{who: "editor", line: "export" + source + " -o flags/search.yaml", has: []string{"says what prod is already"}},
	)
	if err != nil {
		return err
	}
	w.say("A mistake is found before it is merged, with its place.")
	if err := w.edit(strings.Replace(inGit, "defaultVariant: on", "defaultVariant: onn", 1)); err != nil {
		return err
	}
	return w.all(ctx, step{who: "ci", line: "validate flags", code: 9, has: []string{`flags/search.yaml:7:21: flag "search-suggestions" at /defaultVariant`}})
}

// edit writes the flags of the team.
func (w *walker) edit(content string) error {
	dir := filepath.Join(w.dir, "flags")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "search.yaml"), []byte(content), 0o600)
}
