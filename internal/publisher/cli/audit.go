package cli

import (
	"context"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

func auditCommands() []commandline.Command {
	return []commandline.Command{
		command("audit export", "write the history of an environment with its proofs, or as a table", auditExport),
		command("audit verify", "verify the history of an environment with nothing but a trust file", auditVerify),
		command("audit note", "print the proof of a revision as a signed note, for other tools", auditNote),
		command("audit control", "list what was done to the installation", auditControl),
		command("audit review", "close what administration by breaking the glass has left open", auditReview),
		command("audit", "list what was decided and refused in an environment", auditList), // the last, because the others begin with it
	}
}

func auditList() commandline.Invocation {
	var wanted filter
	var request string
	f := newForm("audit", "Lists what was decided and refused in an environment, the newest first: each step of its change requests, "+
		"refusals by policies, changes of the risk settings, and whether it was repaired, adopted or archived. An archived environment has it too. "+
		"What changed in a flag is in its history.").inEnvironment()
	f.set.String(&request, "request", "", "only what concerns this change request")
	f.filters(&wanted, "only events before this number, to continue a list")
	var before uint64
	f.number(&before, &wanted.before, "--before is a number, such as 12")
	return f.runs(func(ctx context.Context, s *session) error {
		now := time.Now()
		found, err := s.client.Ledger(ctx, f.environment, api.LedgerQuery{
			Actor: wanted.actor, Request: request, Since: past(wanted.since, now), Until: past(wanted.until, now), Limit: wanted.limit, Before: before,
		})
		return s.answer(found, err, list("FACT|TIME|WHAT|ACTOR|REQUEST|DOCUMENTS|REMARK", found.Items, func(e api.Event) []string {
			return []string{
				countCell(e.Sequence), timeCell(e.Time), cell(e.Type), nameCell(e.Names, e.Actor), cell(e.Request), eventDocuments(e), eventRemark(e),
			}
		}))
	})
}
