package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
	flagsync "github.com/flagside/flagside/sync"
)

func repairCommands() []commandline.Command {
	return []commandline.Command{
		command("environment adopt", "register an environment again after CONTROL was lost", environmentAdopt),
		command("ledger repair", "continue a ledger after lost records", ledgerRepair),
	}
}

func environmentAdopt() commandline.Invocation {
	f := newForm("environment adopt", "Registers an environment again after CONTROL was lost. Its flags and its ledger do not change.").named("name of the environment")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: []string{"environments", f.environment, "adopt"}}))
		if err != nil {
			return err
		}
		return s.print(found.Body, sentence("environment %s is adopted with %s flags", "name", "flags"))
	})
}

func ledgerRepair() commandline.Invocation {
	var control bool
	f := newForm("ledger repair", "Continues a ledger after lost records, and lists what is lost. You lose the approvals in them. Try a backup first. "+
		"With --control it continues CONTROL, where you lose tokens and their revocations, environments and persons.")
	f.set.String(&f.environment, "environment", "", "environment whose ledger is repaired").Short("e")
	f.set.Bool(&control, "control", false, "repair CONTROL, which records environments and tokens, and no ledger")
	f.check(func() bool { return control || f.environment != "" }, "say what to repair: --environment ENV or --control")
	f.checks = append(f.checks, func() error {
		if control {
			return nil
		}
		return flagsync.ValidateEnvironment(f.environment)
	})
	r := f.administersFor("why, at most 500 bytes; required; it stays in a signed record for ever and cannot be erased: do not name a person")
	f.check(func() bool { return r.reason != "" }, "say why with --reason")
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
	if _, err := fmt.Fprintf(out, "%s is repaired: new records follow record %s, which lists what was lost\n", cell(find(value, "stream")), cell(find(value, "head"))); err != nil {
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
