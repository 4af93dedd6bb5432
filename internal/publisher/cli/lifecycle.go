package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/references"
)

func lifecycleCommand() commandline.Command {
	return command("lifecycle", "list flags that have outlived their purpose", flagLifecycle)
}

func flagLifecycle() commandline.Invocation {
	var q api.LifecycleQuery
	var all bool
	var referring string
	f := newForm("lifecycle", "Lists the flags of an environment that want attention: expired ones, those that expire soon, and stale ones, which have not changed "+
		"for long and give everyone the same answer, or no application asks for. Flags of kind ops and permission are never stale. The policy of the environment "+
		"says what becomes of expired ones by itself: flagside environment lifecycle prints it.").inEnvironment()
	f.set.Choice(&q.Stage, "stage", "", []string{"active", "stale", "expiring", "expired"}, "only flags at this stage")
	f.set.Int(&q.ExpiringDays, "expiring-days", 0, "how many days before its expires a flag is listed, 1 to 3650; 0 is what the policy of the environment says, 14 at first")
	f.set.Int(&q.StaleDays, "stale-days", 0, "after how many days without a change a flag is stale, 1 to 3650; 0 is what the policy of the environment says, 90 at first")
	f.set.Bool(&all, "all", false, "list active flags too")
	f.set.File(&referring, "references", "", "file that flagside refs scan wrote, to show how many files of code name each flag")
	f.check(func() bool { return q.ExpiringDays >= 0 && q.ExpiringDays <= 3650 }, "--expiring-days is a number from 0 to 3650")
	f.check(func() bool { return q.StaleDays >= 0 && q.StaleDays <= 3650 }, "--stale-days is a number from 0 to 3650")
	return f.runs(func(ctx context.Context, s *session) error {
		named := func(string) string { return absent }
		if referring != "" {
			report, err := references.ReadReport(referring)
			if err != nil {
				return &failure{code: exitInvalid, text: err.Error()}
			}
			named = func(key string) string { return namedIn(report, key) }
		}
		found, err := s.client.Lifecycle(ctx, f.environment, q)
		if !all && q.Stage == "" {
			found.Items = slices.DeleteFunc(found.Items, func(l api.FlagLifecycle) bool { return l.Stage == "active" })
		}
		slices.SortStableFunc(found.Items, func(a, b api.FlagLifecycle) int { return urgency(b) - urgency(a) })
		return s.answer(found, err, func(out io.Writer) error {
			if len(found.Items) == 0 {
				_, err := fmt.Fprintln(out, noneListed(q.Stage, f.environment))
				return err
			}
			table := list("KEY|STAGE|SINCE|OWNER|KIND|EXPIRES|EVERYONE GETS|LAST USE|POLICY|IN CODE", found.Items, func(l api.FlagLifecycle) []string {
				return []string{
					cell(l.Key), l.Stage, dayCell(l.Since), cell(l.Owner), cell(l.Kind), expiryCell(l.Expires, time.Now()), forEveryone(l), usedCell(l.LastUse),
					policyCell(l), named(l.Key),
				}
			})
			if err := table(out); err != nil {
				return err
			}
			return afterLifecycle(out, found.Items, f.environment)
		})
	})
}

func noneListed(stage, environment string) string {
	if stage != "" {
		return "no flag of " + printable(environment) + " is " + stage
	}
	return "no flag of " + printable(environment) + " is expired, expiring or stale"
}

// urgency orders stages: the most urgent is the highest.
func urgency(l api.FlagLifecycle) int {
	return slices.Index([]string{"active", "stale", "expiring", "expired"}, l.Stage)
}

// usedCell says how long ago a flag was used.
func usedCell(at time.Time) string {
	if at.IsZero() {
		return absent
	}
	return sinceCell(at, time.Now())
}

// forEveryone says what every user gets, if that is the same.
func forEveryone(l api.FlagLifecycle) string {
	if l.Off {
		return "the default of the application"
	}
	return cell(l.Everyone)
}

// dayCell returns the day of a time.
func dayCell(at time.Time) string {
	if at.IsZero() {
		return absent
	}
	return at.UTC().Format(time.DateOnly)
}

// policyCell says what the lifecycle policy wants of a flag, and how far that is.
func policyCell(l api.FlagLifecycle) string {
	what := map[string]string{"": absent, "freeze": "freeze to " + cmp.Or(printable(l.FreezeTo), "the default of the application"), "propose-removal": "remove"}[l.Action]
	switch l.ActionState {
	case "done":
		return "frozen"
	case "blocked":
		return what + ": blocked, " + printable(l.Detail)
	case "waiting", "rejected":
		return what + ": request " + printable(l.ChangeRequest) + " " + l.ActionState
	default:
		return what
	}
}

// expiryCell says on which day a flag expires, and how many days that is from now. A flag that expires at midnight lives to the end of the day before.
func expiryCell(at, now time.Time) string {
	if at.IsZero() {
		return absent
	}
	last := at.Add(-time.Second).UTC().Format(time.DateOnly)
	days := int(at.Sub(now).Hours() / 24)
	if at.After(now) {
		return fmt.Sprintf("%s (in %d days)", last, days)
	}
	return fmt.Sprintf("%s (%d days ago)", last, -days)
}

// namedIn says in how many files a report finds a flag.
func namedIn(r references.Report, key string) string {
	places, looked := r.Of(key)
	switch {
	case !looked:
		return "not scanned"
	case len(places) == 0 && len(r.Left) > 0:
		return "not all was read"
	case len(places) == 0:
		return "no file"
	}
	return numberOfFiles(places.Files())
}

// afterLifecycle says what can be done about a flag.
func afterLifecycle(out io.Writer, items []api.FlagLifecycle, environment string) error {
	var lines []string
	has := func(stage string) bool {
		return slices.ContainsFunc(items, func(l api.FlagLifecycle) bool { return l.Stage == stage })
	}
	if has("expired") || has("stale") {
		lines = append(lines, "flagside flag archive KEY -e "+environment+" removes a flag that no code names; flagside refs scan finds the code")
	}
	if has("expired") {
		lines = append(lines, "flagside flag rollout KEY VARIANT=100 -e "+environment+" ends an experiment: everyone gets the same")
	}
	if has("expired") || has("expiring") {
		lines = append(lines, "flagside flag edit KEY -e "+environment+" gives a flag more time: change its expires, and say why")
	}
	if lines == nil {
		return nil
	}
	_, err := fmt.Fprintln(out, "\n"+strings.Join(lines, "\n"))
	return err
}
