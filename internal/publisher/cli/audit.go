package cli

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/admin"
)

func auditCommands() []Command {
	return []Command{
		{words("audit export"), "write the history of an environment with its proofs, or as a table", auditExport},
		{words("audit verify"), "verify the history of an environment with nothing but a trust file", auditVerify},
		{words("audit note"), "print the proof of a revision as a signed note, for other tools", auditNote},
		{words("audit control"), "list what was done to the installation", auditControl},
		{words("audit review"), "close what administration by breaking the glass has left open", auditReview},
		{words("audit"), "list what was decided and refused in an environment", auditList}, // the last, because the others begin with it
	}
}

func auditList() Invocation {
	var actor, request, since, until, before string
	var limit int
	f := newForm("audit", "Lists what was decided and refused in an environment, the newest first: each step of its change requests, "+
		"what policies refused to whom, what is risky from when on, and whether it was repaired, adopted or archived. An archived environment has it too. "+
		"What changed in a flag is in its history.").inEnvironment()
	f.set.String(&actor, "actor", "", "only what this principal did, by the id that whoami and person list show")
	f.set.String(&request, "request", "", "only what concerns this change request")
	f.set.String(&since, "since", "", "only what happened since then: a time such as 2030-01-31T08:00:00Z, or so long ago, such as 24h or 7d")
	f.set.String(&until, "until", "", "only what happened before then, like --since")
	f.set.Int(&limit, "limit", 100, "at most so many facts, 1 to 1000")
	f.set.String(&before, "before", "", "only facts before this number, to go on where a list ended")
	f.check(func() bool { return limit >= 1 && limit <= 1000 }, "--limit is a number from 1 to 1000")
	f.check(func() bool { return isPast(since) && isPast(until) },
		"--since and --until are times such as 2030-01-31T08:00:00Z, or durations before now such as 24h or 7d")
	return f.runs(func(ctx context.Context, s *session) error {
		now := time.Now()
		query := url.Values{"limit": {strconv.Itoa(limit)}}
		for name, value := range map[string]string{
			"actor": actor, "request": request, "since": past(since, now), "until": past(until, now), "before": before,
		} {
			if value != "" {
				query.Set(name, value)
			}
		}
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

// isPast reports whether past can read text.
func isPast(text string) bool {
	if d, err := ago(text); err == nil {
		return d > 0
	}
	return isTime(text)
}

// ago reads a duration, also in days, such as 7d.
func ago(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// past returns a time as the API reads it, from one, or from a duration before now; nothing from nothing.
func past(text string, now time.Time) string {
	if d, err := ago(text); err == nil {
		return now.Add(-d).UTC().Format(time.RFC3339Nano)
	}
	return text
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
