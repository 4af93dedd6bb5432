package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
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
		found, err := s.client.AdoptEnvironment(ctx, f.environment, *r)
		return s.answer(found, err, sentence("environment %s is adopted with %s flags", cell(found.Name), decimal(found.Flags)))
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
	f.check(func() bool { return r.Reason != "" }, "say why with --reason")
	return f.runs(func(ctx context.Context, s *session) error {
		repair := func() (api.Repaired, error) { return s.client.RepairLedger(ctx, f.environment, api.RepairHeaders(*r)) }
		if control {
			repair = func() (api.Repaired, error) { return s.client.RepairControl(ctx, api.RepairHeaders(*r)) }
		}
		found, err := repair()
		return s.answer(found, err, func(out io.Writer) error { return printRepaired(out, found) })
	})
}

// printRepaired says what a repair kept, and what is lost.
func printRepaired(out io.Writer, r api.Repaired) error {
	if _, err := fmt.Fprintf(out, "%s is repaired: new records follow record %d, which lists what was lost\n", cell(r.Stream), r.Head); err != nil {
		return err
	}
	kept, lost := make([]string, len(r.Kept)), make([]string, len(r.Lost))
	for i, sequence := range r.Kept {
		kept[i] = decimal(sequence)
	}
	for i, run := range r.Lost {
		if lost[i] = decimal(run.First); run.First != run.Last {
			lost[i] += " to " + decimal(run.Last)
		}
	}
	if len(kept) == 0 {
		kept = []string{"nothing"}
	}
	if len(lost) == 0 {
		lost = nil
	}
	return details(detail{"kept up to", cells(kept)}, detail{"lost", cells(lost)}, detail{"named elsewhere and lost", countCell(r.Lacks)})(out)
}
