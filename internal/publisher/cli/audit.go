package cli

import (
	"context"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
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
		"what policies refused to whom, what is risky from when on, and whether it was repaired, adopted or archived. An archived environment has it too. "+
		"What changed in a flag is in its history.").inEnvironment()
	f.set.String(&request, "request", "", "only records about this change request")
	f.filters(&wanted, "only records before this number, to continue a list")
	return f.runs(func(ctx context.Context, s *session) error {
		query := wanted.query(time.Now(), "request", request)
		found, err := s.do(ctx, admin.Call{Path: []string{"environments", f.environment, "ledger"}, Query: query})
		if err != nil {
			return err
		}
		return s.print(found.Body, list(
			at("FACT", "sequence"), at("TIME", "time"), at("WHAT", "type"), named("ACTOR", "actor"), at("REQUEST", "changeRequest"),
			column{"DOCUMENTS", factDocuments}, column{"REMARK", factRemark},
		))
	})
}

// factDocuments says what a fact is about.
func factDocuments(fact any) string {
	all, _ := find(fact, "documents").([]any)
	texts := make([]string, len(all))
	for i, d := range all {
		texts[i] = strings.Join(present(word(d, "kind"), word(d, "key")), " ")
	}
	return some(texts)
}

// factRemark says what else there is to know in a line.
func factRemark(fact any) string {
	var broken, policies, count, record string
	if find(fact, "breakGlass") == true {
		broken = "without approvals"
	}
	if n := find(fact, "control"); n != nil {
		record = "record " + cell(n) + " of CONTROL" + toBeReviewed(fact)
	}
	if names := find(fact, "policies"); names != nil {
		policies = "by " + cell(names)
	}
	if n := find(fact, "count"); n != nil {
		count = cell(n) + " since " + cell(find(fact, "from"))
	}
	parts := present(broken, word(fact, "action"), policies, count, word(fact, "outcome"), word(fact, "text"), word(fact, "revision"), record)
	if len(parts) == 0 {
		return absent
	}
	return strings.Join(parts, "; ")
}
