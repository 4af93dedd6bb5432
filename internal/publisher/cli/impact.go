package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/api"
)

const (
	// shownFlags and shownTransitions are how many flags, and changes of each, are told of one by one.
	shownFlags, shownTransitions = 20, 5
	// otherVariants is what stands for variants that a sidecar had no room for.
	otherVariants = "…"
)

// impactLines says what would come of recent evaluations; nothing if that was not asked.
func impactLines(i *api.Impact) []string {
	switch {
	case i == nil:
		return nil
	case i.Missing != "":
		return []string{"impact on recent evaluations: not known: " + printable(i.Missing)}
	case i.Answered == 0:
		return []string{"impact on recent evaluations: not known: " + silence(i)}
	}
	lines := []string{fmt.Sprintf("impact on recent evaluations: answered by %d of %s%s, about the last %s",
		i.Answered, counted(i.Asked, "sidecar", "sidecars"), ofAll(i), minutes(i.SinceSeconds))}
	for _, f := range i.Flags[:min(len(i.Flags), shownFlags)] {
		lines = append(lines, "  flag "+printable(f.Key)+": "+flagImpact(i, f))
	}
	if more := max(len(i.Flags)-shownFlags, 0) + i.MoreFlags; more > 0 {
		lines = append(lines, fmt.Sprintf("  %s more", counted(more, "flag", "flags")))
	}
	if len(i.Flags) == 0 {
		lines = append(lines, "  no flag that applications can ask for answers anything else")
	}
	if i.Partial {
		lines = append(lines, "  some sidecars looked at a part of what they remember, for lack of time")
	}
	if i.InProcess > 0 {
		lines = append(lines, fmt.Sprintf("  not in it: %s by themselves", counted(i.InProcess, "client that evaluates", "clients that evaluate")))
	}
	return lines
}

// silence says why no sidecar has counts.
func silence(i *api.Impact) string {
	text := fmt.Sprintf("none of %s that were asked has answered in time; sidecars of older versions and those with --preview=false do not", counted(i.Asked, "sidecar", "sidecars"))
	if len(i.Refused) == 0 {
		return text
	}
	var why []string
	for _, reason := range slices.Sorted(maps.Keys(i.Refused)) {
		why = append(why, fmt.Sprintf("%d %s", i.Refused[reason], printable(reason)))
	}
	return fmt.Sprintf("no sidecar of %d that were asked has counts: %s", i.Asked, strings.Join(why, ", "))
}

// ofAll says how many sidecars there are, if not all were asked.
func ofAll(i *api.Impact) string {
	if i.Asked == i.Sidecars {
		return ""
	}
	return fmt.Sprintf(" (of %s)", grouped(uint64(max(i.Sidecars, 0))))
}

func minutes(seconds int64) string {
	if seconds < 120 {
		return fmt.Sprintf("%d s", seconds)
	}
	return fmt.Sprintf("%d min", seconds/int64(time.Minute/time.Second))
}

// flagImpact says what would come of the evaluations of one flag.
func flagImpact(i *api.Impact, f api.ImpactFlag) string {
	about := ""
	if i.Asked < i.Sidecars {
		about = "about "
	}
	switch {
	case f.Evaluations == 0 && f.TooFew == 0:
		return "no recent evaluations"
	case f.Evaluations == 0:
		return fmt.Sprintf("%s%s recent evaluations, too few to tell", about, grouped(f.TooFew))
	}
	where := ""
	if n := len(i.Applications); n > 0 {
		where = " in " + counted(n, "service", "services")
	}
	text := fmt.Sprintf("of %s%s recent evaluations%s %s; %s", about, grouped(f.Evaluations), where, transitions(f), failures(f))
	if f.TooFew > 0 {
		text += fmt.Sprintf("; %s more where too few are remembered", grouped(f.TooFew))
	}
	return text
}

// transitions says which part of the evaluations changes from what to what.
func transitions(f api.ImpactFlag) string {
	var texts []string
	shown := uint64(0)
	for n, c := range f.Changes[:min(len(f.Changes), shownTransitions)] {
		share := percentage(c.N, f.Evaluations)
		if n == 0 {
			share += " change"
		}
		texts = append(texts, share+" "+transition(c))
		shown += c.N
	}
	switch {
	case len(texts) == 0:
		return "none changes"
	case f.Changed > shown:
		texts = append(texts, percentage(f.Changed-shown, f.Evaluations)+" otherwise")
	}
	return strings.Join(texts, ", ")
}

func transition(c api.ImpactChange) string {
	switch {
	case c.From == otherVariants && c.To == otherVariants:
		return "otherwise"
	case c.From == c.To && c.From == "":
		return "to another error"
	case c.From == c.To:
		return "the value of " + printable(c.From)
	default:
		return "from " + variantText(c.From) + " to " + variantText(c.To)
	}
}

func variantText(name string) string {
	if name == "" {
		return "no variant"
	}
	return printable(name)
}

func failures(f api.ImpactFlag) string {
	text := grouped(f.ErrorsAfter) + " errors"
	if f.ErrorsAfter == 1 {
		text = "1 error"
	}
	if f.ErrorsBefore > 0 {
		text += ", " + grouped(f.ErrorsBefore) + " now"
	}
	return text
}

// percentage returns a part of a whole that is not 0.
func percentage(part, whole uint64) string {
	share := 100 * float64(part) / float64(whole)
	if share > 0 && share < 0.05 {
		return "under 0.1 %"
	}
	return strconv.FormatFloat(min(share, 100), 'f', 1, 64) + " %"
}

// grouped returns a number with a comma between every three digits.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// withImpact returns a change request with what it would do to recent evaluations, if sidecars can be asked: publishers of older versions cannot.
func (s *session) withImpact(ctx context.Context, environment string, r api.ChangeRequest) api.ChangeRequest {
	if r.Status != "open" {
		return r
	}
	if asked, err := s.client.RequestImpact(ctx, environment, r.ID); err == nil {
		r.Impact = asked.Impact
	}
	return r
}
