package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

func usageCommands() []commandline.Command {
	return []commandline.Command{
		command("usage unknown", "list flags that code asks for and that do not exist", usageUnknown),
		command("usage", "show how often a flag is evaluated, by variant and application", usageOfFlag), // the last, because the other begins with it
	}
}

func usageOfFlag() commandline.Invocation {
	var key, step string
	var since time.Duration
	f := newForm("usage", "Shows how often a flag was evaluated, when and by which applications it was asked for last. Sidecars report counts once a minute, and never for whom.").inEnvironment()
	flagKind().key(f, &key)
	f.set.Choice(&step, "step", "hour", []string{"minute", "hour", "day"}, "how long the time of one column is; minutes are kept for 2 days, hours for 35, days for 400")
	f.set.Duration(&since, "since", 24*time.Hour, "how long before now to begin")
	f.check(func() bool { return since > 0 }, "--since is a duration such as 24h")
	return f.runs(func(ctx context.Context, s *session) error {
		now := time.Now()
		found, err := s.client.FlagUsage(ctx, f.environment, key, api.FlagUsageQuery{From: now.Add(-since), To: now, Step: step})
		return s.answer(found, err, func(out io.Writer) error { return usageTable(out, found) })
	})
}

// usageTable shows how a flag was used.
func usageTable(out io.Writer, u api.FlagUsage) error {
	if !u.Kept {
		return usageNotes(out, u.UsageState, 0)
	}
	var total uint64
	for _, p := range u.Points {
		total += p.Evaluations
	}
	fmt.Fprintf(out, "flag %s: %d evaluations from %s to %s, by %s\n", printable(u.Key), total, timeCell(u.From), timeCell(u.To), u.Step)
	if total > 0 {
		fmt.Fprintln(out, sparkline(u))
	}
	fmt.Fprintln(out)
	if err := usageCounts(out, u, total); err != nil {
		return err
	}
	if len(u.Uses) > 0 {
		uses := list("VARIANT|APPLICATION|LAST ASKED FOR|LAST IN ALL FLAGS", u.Uses, func(l api.UsageLast) []string {
			return []string{variantCell(l.Variant), cell(l.Application), timeCell(l.Last), timeCell(l.LastBulk)}
		})
		if err := uses(out); err != nil {
			return err
		}
		fmt.Fprintln(out)
	} else {
		fmt.Fprintln(out, "no evaluation of this flag is known")
	}
	return usageNotes(out, u.UsageState, u.Untold)
}

// usageCounts shows the evaluations of a flag by variant, and by application.
func usageCounts(out io.Writer, u api.FlagUsage, total uint64) error {
	type row struct{ a, b, c string }
	shown := func(titles string, row func(api.UsageCount) row) error {
		sums := make(map[[3]string]uint64)
		for _, c := range u.Series {
			r := row(c)
			sums[[3]string{r.a, r.b, r.c}] += c.Evaluations
		}
		if len(sums) == 0 {
			return nil
		}
		keys := slices.SortedFunc(maps.Keys(sums), func(a, b [3]string) int {
			return cmp.Or(cmp.Compare(sums[b], sums[a]), slices.Compare(a[:], b[:]))
		})
		err := list(titles+"|EVALUATIONS|SHARE", keys, func(k [3]string) []string {
			return []string{k[0], k[1], k[2], decimal(sums[k]), fmt.Sprintf("%.1f %%", 100*float64(sums[k])/float64(max(total, 1)))}
		})(out)
		fmt.Fprintln(out)
		return err
	}
	err := shown("VARIANT|REASON|RULE", func(c api.UsageCount) row {
		return row{variantCell(c.Variant), cell(strings.TrimSpace(c.Reason + " " + c.ErrorCode)), countCell(c.Rule)}
	})
	if err != nil {
		return err
	}
	return shown("APPLICATION|VERSION|FLAG REVISION", func(c api.UsageCount) row {
		return row{cell(c.Application), cell(c.Release), cell(c.Revision)}
	})
}

func variantCell(variant string) string {
	if variant == "" {
		return "(default of the application)"
	}
	return printable(variant)
}

// bars are the heights of a sparkline.
const bars = "▁▂▃▄▅▆▇█"

// maxColumns is how wide a sparkline is at most.
const maxColumns = 120

// sparkline draws the evaluations over the time, a column for each point, or for several if there are many.
func sparkline(u api.FlagUsage) string {
	length := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[u.Step]
	points := int(u.To.Sub(u.From) / max(length, time.Minute))
	columns := max(min(points, maxColumns), 1)
	sums := make([]uint64, columns)
	for _, p := range u.Points {
		if at := int(p.At.Sub(u.From) / length); at >= 0 && at < points {
			sums[at*columns/points] += p.Evaluations
		}
	}
	highest := max(slices.Max(sums), 1)
	var line strings.Builder
	heights := []rune(bars)
	for _, n := range sums {
		if n == 0 {
			line.WriteByte(' ')
			continue
		}
		line.WriteRune(heights[min(int(float64(n)/float64(highest)*float64(len(heights))), len(heights)-1)])
	}
	return "|" + line.String() + "|"
}

// usageNotes says what counts do not say.
func usageNotes(out io.Writer, u api.UsageState, untold uint64) error {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	switch {
	case !u.Kept:
		say("this publisher keeps no counts (--usage-storage 0): whether flags are used is not known")
	case u.Since.IsZero():
		say("no sidecar has reported yet: whether flags are used is not known")
	default:
		say("counted since %s, complete up to %s", timeCell(u.Since), timeCell(u.FoldedUntil))
	}
	if u.Waiting > 0 {
		say("%d reports are not counted yet", u.Waiting)
	}
	for _, c := range u.Clients {
		if c.Clients > 0 {
			say("%d clients%s evaluate by themselves: their evaluations are unknown", c.Clients, ofApplication(c.Application))
		} else {
			say("until %s clients%s evaluated by themselves: their evaluations are unknown", timeCell(c.Last), ofApplication(c.Application))
		}
	}
	if !u.Unchanged.IsZero() {
		say("until %s clients asked for all flags and kept the answer that they had: these evaluations are unknown", timeCell(u.Unchanged))
	}
	if u.Lost > 0 {
		say("%d evaluations were counted and lost, because sidecars had no room", u.Lost)
	}
	if u.Missed > 0 {
		say("%d reports of sidecars were lost", u.Missed)
	}
	if untold > 0 {
		say("%d evaluations are of flags that there was no room to tell apart", untold)
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

func ofApplication(name string) string {
	if name == "" {
		return ""
	}
	return " of " + printable(name)
}

func usageUnknown() commandline.Invocation {
	var q api.UnknownFlagsQuery
	f := newForm("usage unknown", "Lists the flags that applications ask for and that do not exist: a slip in a key, or a flag that was removed too early.").inEnvironment()
	f.set.Int(&q.Days, "days", 7, "over how many days, with today, 1 to 30")
	f.check(func() bool { return q.Days >= 1 && q.Days <= 30 }, "--days is a number from 1 to 30")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.UnknownFlags(ctx, f.environment, q)
		return s.answer(found, err, func(out io.Writer) error {
			if len(found.Items) > 0 {
				table := list("KEY|APPLICATION|REQUESTS|LAST DAY", found.Items, func(u api.UnknownFlag) []string {
					return []string{cell(u.Key), cell(u.Application), decimal(u.Requests), u.LastDay.UTC().Format(time.DateOnly)}
				})
				if err := table(out); err != nil {
					return err
				}
			} else if found.Kept {
				fmt.Fprintln(out, "no application has asked for a flag that does not exist")
			}
			if found.Others > 0 {
				fmt.Fprintf(out, "%d requests were for other flags, for which there was no room\n", found.Others)
			}
			fmt.Fprintln(out)
			return usageNotes(out, found.UsageState, 0)
		})
	})
}

// lastUses returns when each flag of an environment was used last, as text; known is false if that is not known here.
func (s *session) lastUses(ctx context.Context, environment string) (use func(key string) string, known bool) {
	found, err := s.client.Usage(ctx, environment, api.UsageQuery{LastOnly: true})
	if err != nil || !found.Kept || found.Since.IsZero() { // a publisher of an earlier version has no usage
		return func(string) string { return absent }, false
	}
	now := time.Now()
	uses := make(map[string]api.FlagInUse, len(found.Flags))
	for _, f := range found.Flags {
		uses[f.Key] = f
	}
	return func(key string) string { return lastUseCell(uses[key], now) }, true
}

func lastUseCell(u api.FlagInUse, now time.Time) string {
	switch {
	case !u.Last.IsZero():
		return sinceCell(u.Last, now)
	case !u.LastBulk.IsZero():
		return sinceCell(u.LastBulk, now) + ", with all flags"
	default:
		return "never"
	}
}

// sinceCell says how long ago something was.
func sinceCell(at, now time.Time) string {
	switch ago := now.Sub(at); {
	case ago < 2*time.Minute:
		return "now"
	case ago < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", int(ago.Minutes()))
	case ago < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(ago.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(ago.Hours()/24))
	}
}
