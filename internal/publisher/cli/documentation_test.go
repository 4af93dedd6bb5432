package cli_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/cli"
)

const (
	// page is the documentation of the command line. What stands before the mark is written by hand.
	page = "../../../docs/cli.md"
	mark = "<!-- What follows is generated from the commands: FLAGSIDE_UPDATE=1 go test -run Documented ./internal/publisher/cli -->\n"
)

// The page has every command and every exit code, word for word.
func TestCommandsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	written, generated, found := strings.Cut(string(text), mark)
	if !found {
		t.Fatalf("%s has no line %q", page, mark)
	}
	want := reference()
	if os.Getenv("FLAGSIDE_UPDATE") != "" {
		if err := os.WriteFile(page, []byte(written+mark+want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if difference := cmp.Diff(want, generated); difference != "" {
		t.Errorf("%s differs from the commands; FLAGSIDE_UPDATE=1 go test writes it:\n%s", page, difference)
	}
}

// group is options that many commands have and that are documented once.
type group struct {
	title string
	names []string
	of    []string // a command that has them
}

func groups() []group {
	return []group{
		{"every command that asks the API", []string{"admin", "admin-ca", "token-file", "output"}, []string{"whoami"}},
		{
			title: "every change of documents",
			names: []string{"reason", "idempotency-key", "dry-run", "propose", "rebase", "apply-at", "late", "expires", "break-glass"},
			of:    []string{"promote"},
		},
	}
}

// common are the options that every command of the program has.
func common() []string { return []string{"config", "check", "print-config"} }

func reference() string {
	var out strings.Builder
	out.WriteString("\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n")
	for _, m := range cli.ExitCodes() {
		fmt.Fprintf(&out, "| %d | %s |\n", m.Code, m.Text)
	}
	shared := common()
	for _, g := range groups() {
		fmt.Fprintf(&out, "\n## Options of %s\n\n%s", g.title, table(pick(optionsOf(g.of), g.names)))
		shared = append(shared, g.names...)
	}
	out.WriteString("\n## Commands\n")
	for _, c := range cli.Commands() {
		set := c.New().Set
		name := strings.Join(append(slices.Clone(c.Words), set.Arguments()...), " ")
		fmt.Fprintf(&out, "\n### `flagside %s`\n\n%s\n", name, set.Synopsis())
		var own []config.Option
		for _, option := range set.Options() {
			if !slices.Contains(shared, option.Name) || !has(set, "apply-at") && slices.Contains([]string{"propose", "dry-run", "expires", "break-glass", "reason"}, option.Name) &&
				!(option.Name == "reason" && has(set, "idempotency-key")) {
				own = append(own, option)
			}
		}
		if len(own) > 0 {
			out.WriteString("\n" + table(own))
		}
		if has(set, "apply-at") {
			out.WriteString("\nIt also has the options of every change of documents.\n")
		} else if has(set, "idempotency-key") {
			out.WriteString("\nIt also has `--reason` and `--idempotency-key`.\n")
		}
	}
	return out.String()
}

func optionsOf(words []string) []config.Option {
	for _, c := range cli.Commands() {
		if slices.Equal(c.Words, words) {
			return c.New().Set.Options()
		}
	}
	return nil
}

func has(set *config.Set, name string) bool { return len(pick(set.Options(), []string{name})) > 0 }

func pick(options []config.Option, names []string) []config.Option {
	var picked []config.Option
	for _, option := range options {
		if slices.Contains(names, option.Name) {
			picked = append(picked, option)
		}
	}
	return picked
}

func table(options []config.Option) string {
	var out strings.Builder
	out.WriteString("| Option | Environment variable | Default | Meaning |\n|---|---|---|---|\n")
	for _, option := range options {
		variable := option.Env
		if variable != "" {
			variable = "`" + variable + "`"
		}
		fmt.Fprintf(&out, "| `--%s` | %s | %s | %s |\n", option.Name, variable, option.Default, strings.ReplaceAll(option.Usage, "|", `\|`))
	}
	return out.String()
}
