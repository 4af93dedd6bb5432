package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/admin"
)

func activityCommand() Command {
	return Command{words("activity"), "list what happened in an environment: changes, requests, refusals and administration", activityList}
}

func activityList() Invocation {
	var actor, flag, since, until, before string
	var limit int
	f := newForm("activity", "Lists what happened in an environment, the newest first: changes, steps of change requests, what policies refused to "+
		"whom, and administration.").inEnvironment()
	f.set.String(&actor, "actor", "", "only what this principal did, by the id that whoami and person list show")
	f.set.String(&flag, "flag", "", "only what concerns this flag, which may be gone")
	f.set.String(&since, "since", "", "only what happened since then: a time such as 2030-01-31T08:00:00Z, or so long ago, such as 24h or 7d")
	f.set.String(&until, "until", "", "only what happened before then, like --since")
	f.set.Int(&limit, "limit", 100, "at most so many items, 1 to 1000")
	f.set.String(&before, "before", "", "go on where a list ended: the place that its last line names")
	f.check(func() bool { return limit >= 1 && limit <= 1000 }, "--limit is a number from 1 to 1000")
	f.check(func() bool { return isPast(since) && isPast(until) },
		"--since and --until are times such as 2030-01-31T08:00:00Z, or durations before now such as 24h or 7d")
	return f.runs(func(ctx context.Context, s *session) error {
		now := time.Now()
		query := url.Values{"limit": {strconv.Itoa(limit)}}
		for name, value := range map[string]string{
			"actor": actor, "flag": flag, "since": past(since, now), "until": past(until, now), "before": before,
		} {
			if value != "" {
				query.Set(name, value)
			}
		}
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
