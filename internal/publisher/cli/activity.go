package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

func activityCommand() commandline.Command {
	return command("activity", "list what happened in an environment: changes, requests, refusals and administration", activityList)
}

func activityList() commandline.Invocation {
	var wanted filter
	var flag string
	f := newForm("activity", "Lists what happened in an environment, the newest first: changes, steps of change requests, what policies refused to "+
		"whom, and administration.").inEnvironment()
	f.set.String(&flag, "flag", "", "only records about this flag, even if it was deleted")
	f.filters(&wanted, "continue a list, from the cursor in its last line")
	return f.runs(func(ctx context.Context, s *session) error {
		now := time.Now()
		found, err := s.client.Activity(ctx, f.environment, api.ActivityQuery{
			Actor: wanted.actor, Flag: flag, Since: past(wanted.since, now), Until: past(wanted.until, now), Limit: wanted.limit, Before: wanted.before,
		})
		return s.answer(found, err, func(out io.Writer) error {
			table := list("TIME|WHAT|ACTOR|REQUEST|DOCUMENTS|REMARK", found.Items, func(e api.Event) []string {
				return []string{
					timeCell(e.Time), cell(e.Type), nameCell(e.Names, e.Actor), cell(e.Request), eventDocuments(e), eventRemark(e),
				}
			})
			if err := table(out); err != nil || found.Next == "" {
				return err
			}
			_, err := fmt.Fprintln(out, "there is more: go on with --before "+printable(found.Next))
			return err
		})
	})
}

// eventDocuments says what happened to which documents.
func eventDocuments(e api.Event) string {
	texts := make([]string, len(e.Documents))
	for i, d := range e.Documents {
		deleted := ""
		if d.Action == "delete" {
			deleted = "(deleted)"
		}
		owner := ""
		if d.Owner != "" {
			owner = "(owner " + d.Owner + ")"
		}
		texts[i] = words(d.Kind, d.Key, owner, deleted)
	}
	return some(texts)
}

// eventRemark says what else there is to know of an event in a line.
func eventRemark(e api.Event) string {
	var broken, policies, count, record string
	if e.Breaks {
		broken = "without approvals"
	}
	if e.Control > 0 {
		record = "record " + decimal(e.Control) + " of CONTROL" + toBeReviewed(e.Review)
	}
	if len(e.Policies) > 0 {
		policies = "by " + cells(e.Policies)
	}
	if e.Count > 0 {
		count = decimal(e.Count) + " since " + timeCell(e.From)
	}
	return remark(broken, e.Action, policies, count, e.Outcome, e.Text, e.Revision, record, servedIn(e.ServedIn))
}
