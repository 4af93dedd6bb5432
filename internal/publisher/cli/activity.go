package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
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
	f.filters(&wanted, "continue a list: the place that its last line names")
	return f.runs(func(ctx context.Context, s *session) error {
		query := wanted.query(time.Now(), "flag", flag)
		found, err := s.do(ctx, admin.Call{Path: []string{"environments", f.environment, "activity"}, Query: query})
		if err != nil {
			return err
		}
		return s.print(found.Body, func(out io.Writer, value any) error {
			if err := activityTable(out, value); err != nil || find(value, "next") == nil {
				return err
			}
			_, err := fmt.Fprintln(out, "there is more: go on with --before "+word(value, "next"))
			return err
		})
	})
}

func activityTable(out io.Writer, value any) error {
	return list(
		at("TIME", "time"), at("WHAT", "type"), named("ACTOR", "actor"), at("REQUEST", "changeRequest"),
		column{"DOCUMENTS", activityDocuments}, column{"REMARK", factRemark},
	)(out, value)
}

// activityDocuments says what happened to which documents.
func activityDocuments(item any) string {
	all, _ := find(item, "documents").([]any)
	texts := make([]string, len(all))
	for i, d := range all {
		texts[i] = strings.Join(present(word(d, "kind"), word(d, "key"), removed(d)), " ")
	}
	return some(texts)
}

func removed(document any) string {
	if word(document, "action") == "delete" {
		return "(deleted)"
	}
	return ""
}
