package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/flagside/flagside/internal/publisher/admin"
	flagsync "github.com/flagside/flagside/sync"
)

func repairCommands() []Command {
	return []Command{
		{words("environment adopt"), "make an environment known again after CONTROL was lost", environmentAdopt},
		{words("ledger repair"), "go on behind a damage of a ledger or of CONTROL", ledgerRepair},
	}
}

func environmentAdopt() Invocation {
	f := newForm("environment adopt", "Makes an environment known again whose streams are in use, after CONTROL was lost. Its flags and its ledger "+
		"stay as they are.").named("name of the environment")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: []string{"environments", f.environment, "adopt"}}))
		if err != nil {
			return err
		}
		return s.print(found.Body, sentence("environment %s is adopted with %s flags", "name", "flags"))
	})
}

func ledgerRepair() Invocation {
	var control bool
	f := newForm("ledger repair", "Goes on behind a damage of the ledger of an environment, or of CONTROL, and says what is lost. Put the stream back "+
		"from a backup instead if you have one: what is lost stays lost.")
	f.set.String(&f.environment, "environment", "", "environment whose ledger is repaired").Short("e")
	f.set.Bool(&control, "control", false, "repair CONTROL, which records environments and tokens, and no ledger")
	f.check(func() bool { return control || f.environment != "" }, "say what to repair: --environment ENV or --control")
	f.checks = append(f.checks, func() error {
		if control {
			return nil
		}
		return flagsync.ValidateEnvironment(f.environment)
	})
	r := f.administersFor("why, at most 500 bytes; required; it stands in the journal for ever")
	f.check(func() bool { return r.reason != "" }, "say with --reason why: it stands in the journal for ever")
	return f.runs(func(ctx context.Context, s *session) error {
		path := []string{"control", "repair"}
		if !control {
			path = []string{"environments", f.environment, "ledger", "repair"}
		}
		found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: path}))
		if err != nil {
			return err
		}
		return s.print(found.Body, printRepaired)
	})
}

// printRepaired says what a repair kept, and what is lost.
func printRepaired(out io.Writer, value any) error {
	if _, err := fmt.Fprintf(out, "%s is repaired by record %s\n", cell(find(value, "stream")), cell(find(value, "head"))); err != nil {
		return err
	}
	return details(
		column{"kept up to", func(v any) string { return cellOrNothing(find(v, "kept")) }},
		column{"lost", func(v any) string { return runs(find(v, "lost")) }},
		at("named elsewhere and lost", "lacks"),
	)(out, value)
}

// cellOrNothing returns a list as text.
func cellOrNothing(list any) string {
	if text := cell(list); text != "" {
		return text
	}
	return "nothing"
}

// runs returns runs of places as text.
func runs(value any) string {
	list, _ := value.([]any)
	var texts []string
	for _, run := range list {
		first, last := cell(find(run, "first")), cell(find(run, "last"))
		if first != last {
			first += " to " + last
		}
		texts = append(texts, first)
	}
	if len(texts) == 0 {
		return absent
	}
	return strings.Join(texts, ", ")
}
