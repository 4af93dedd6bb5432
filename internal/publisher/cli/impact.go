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
	// shownClocks and shownApplications are likewise.
	shownClocks, shownApplications = 5, 10
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
		return append([]string{fmt.Sprintf("impact on recent evaluations: not known: no sidecar has counts, of %d that were asked", i.Asked)}, unanswered(i)...)
	}
	lines := []string{fmt.Sprintf("impact on recent evaluations: answered by %d of %s%s%s, about the last %s",
		i.Answered, counted(i.Asked, "sidecar", "sidecars"), ofAll(i), inServices(i, len(i.Flags) != 1), minutes(i.SinceSeconds))}
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
	lines = append(lines, unanswered(i)...)
	if i.InProcess > 0 {
		lines = append(lines, fmt.Sprintf("  not in it: %s by themselves", counted(i.InProcess, "client that evaluates", "clients that evaluate")))
	}
	return lines
}

// unanswered says which sidecars have no counts, and why, as far as they say that.
func unanswered(i *api.Impact) (lines []string) {
	silent := i.Asked - i.Answered
	for _, why := range slices.Sorted(maps.Keys(i.Refused)) {
		n := i.Refused[why]
		silent -= n
		lines = append(lines, fmt.Sprintf("  %s: %s", counted(n, "sidecar has no counts", "sidecars have no counts"), refusalText(why)))
	}
	if silent > 0 {
		lines = append(lines, fmt.Sprintf("  %s in time; those of older versions and with --preview=false do not answer",
			counted(silent, "sidecar has not answered", "sidecars have not answered")))
	}
	for _, c := range i.Clocks[:min(len(i.Clocks), shownClocks)] {
		lines = append(lines, "  "+clockText(c))
	}
	if i.Answered > 0 && len(i.Unanswered) > 0 {
		lines = append(lines, "  not known: what evaluations of "+applicationsText(i.Unanswered)+" would get")
	}
	return lines
}

// refusalText says why a sidecar has no counts.
func refusalText(why string) string {
	switch why {
	case "busy":
		return "asked too often within a minute, try again later"
	case "behind":
		return "they do not serve the newest revision yet"
	case "epoch":
		return "they serve another history"
	case "not-ready":
		return "they are not ready"
	case "invalid":
		return "they cannot compile the change, look at their versions"
	case "clock":
		return "their clock and that of the publisher differ by more than a minute"
	default: // of a later version
		return printable(why)
	}
}

func clockText(c api.ImpactClock) string {
	where := printable(c.Name)
	if c.Namespace != "" {
		where += " in " + printable(c.Namespace)
	}
	way, by := "ahead of", c.AheadSeconds
	if by < 0 {
		way, by = "behind", -by
	}
	return fmt.Sprintf("the clock of %s is %s %s that of the publisher: set the one that is wrong", where, minutes(by), way)
}

func applicationsText(names []string) string {
	var texts []string
	for _, name := range names[:min(len(names), shownApplications)] {
		if name == "" {
			name = "applications without a name"
		}
		texts = append(texts, printable(name))
	}
	if more := len(names) - shownApplications; more > 0 {
		texts = append(texts, fmt.Sprintf("%d more", more))
	}
	return strings.Join(texts, ", ")
}

// inServices says how many applications have asked, if that is to be said here.
func inServices(i *api.Impact, here bool) string {
	if n := len(i.Applications); n > 0 && here {
		return " in " + counted(n, "service", "services")
	}
	return ""
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

// flagImpact says what would come of the evaluations of one flag, and of how many samples that is known.
func flagImpact(i *api.Impact, f api.ImpactFlag) string {
	about := ""
	if i.Answered < i.Sidecars || uint64(max(f.Samples, 0)) < f.Evaluations {
		about = "about "
	}
	switch {
	case f.Evaluations == 0 && f.TooFew == 0:
		return "no recent evaluations"
	case f.Evaluations == 0:
		return fmt.Sprintf("%s%s recent evaluations, too few to tell", about, grouped(f.TooFew))
	}
	text := fmt.Sprintf("of %s%s recent evaluations%s %s; %s", about, grouped(f.Evaluations), inServices(i, len(i.Flags) == 1), transitions(f), failures(f))
	if about != "" {
		text += fmt.Sprintf("; from %s", counted(f.Samples, "sample", "samples"))
	}
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
		return "none or few change" // a few samples may be told as none
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
	switch {
	case f.ErrorsAfter == 1:
		text = "1 error"
	case f.ErrorsAfter == 0 && f.Fails:
		text = "few errors"
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
