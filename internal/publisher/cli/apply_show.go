package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/source"
)

// shownDifferences is how many documents are compared line by line before something is changed; --dry-run shows all.
const shownDifferences = 100

// say prints a line for people; those who read JSON get one answer in the end.
func (a *applying) say(format string, arguments ...any) error {
	if a.output != formatTable {
		return nil
	}
	_, err := fmt.Fprintf(a.terminal.Stdout, format+"\n", arguments...)
	return err
}

// show prints a plan, unless it was printed already.
func (a *applying) show(plan source.Plan) error {
	text, err := a.planText(plan, shownDifferences)
	if err != nil || text == a.shown || a.output != formatTable {
		return err
	}
	a.shown = text
	_, err = io.WriteString(a.terminal.Stdout, text)
	return err
}

// planText says what a plan changes, of at most so many documents line by line.
func (a *applying) planText(plan source.Plan, most int) (string, error) {
	var b strings.Builder
	var effects []api.Effect
	for i, c := range plan.Changes() {
		effects = append(effects, api.Effect{Kind: string(c.Kind), Key: c.Key, Done: c.Done()})
		if i >= most {
			continue
		}
		text, err := a.changeText(c)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	if more := len(plan.Changes()) - most; more > 0 {
		fmt.Fprintf(&b, "%d more are not compared here: --dry-run shows each\n", more)
	}
	for line := range strings.SplitSeq(strings.TrimPrefix(listed(effects), "\n"), "\n") {
		b.WriteString(line + "\n")
	}
	return b.String(), nil
}

// listed is effects of one document, too.
func listed(all []api.Effect) string {
	if len(all) == 1 {
		return all[0].Done + ": " + words(all[0].Kind, all[0].Key)
	}
	return effects(all)
}

// changeText says who owns a document from now on, if that changes, and compares it as it is with what it becomes. The order of members is left out.
func (a *applying) changeText(c source.Change) (string, error) {
	owner := a.ownerText(c)
	if c.Adopts() {
		return owner, nil
	}
	before, err := comparableText(c.Before)
	if err != nil {
		return "", err
	}
	after, err := comparableText(c.After)
	if err != nil {
		return "", err
	}
	name := words(string(c.Kind), c.Key)
	return owner + difference(side{name: name + " now", text: before}, side{name: name + " then", text: after}), nil
}

// ownerText says which source a document that exists belongs to from now on, nothing if it stays as it is.
func (a *applying) ownerText(c source.Change) string {
	name, before := words(string(c.Kind), c.Key), ownership.Owner(c.Before)
	switch {
	case c.Before == nil, c.After == nil, ownership.Owner(c.After) == before:
		return ""
	case before != "":
		return fmt.Sprintf("%s: the source %s takes it over from %s\n", name, printable(a.owner), printable(before))
	default:
		return fmt.Sprintf("%s: the source %s owns it from now on\n", name, printable(a.owner))
	}
}

// comparableText returns a document as lines that differ only where it says something else.
func comparableText(body []byte) (string, error) {
	if body == nil {
		return "", nil
	}
	value := jsontext.Value(ownership.Unmarked(body)).Clone()
	if err := value.Format(jsontext.ReorderRawObjects(true), jsontext.PreserveRawStrings(true)); err != nil {
		return "", err
	}
	return pretty(value)
}

// preview prints what would be done, what is at stake, and who would have to agree.
func (a *applying) preview(ctx context.Context, live liveDocuments, plan source.Plan) error {
	found, err := a.session.preview(ctx, a.environment, live.command(plan.Parts[0]), a.impact)
	if err != nil {
		return err
	}
	a.report.Result, a.report.Risk, a.report.Permitted, a.report.Warnings = resultPlanned, &found.Risk, &found.Permitted, found.Warnings
	a.report.Changes, a.report.Impact = live.planned(plan.Changes(), resultPlanned), found.Impact
	return a.print(a.report, func(out io.Writer) error {
		text, err := a.planText(plan, len(plan.Changes()))
		if err != nil {
			return err
		}
		text += strings.Join(append(stakes(found), impactLines(found.Impact)...), "\n") + warnings(found.Warnings) + a.frozenText()
		if n := len(plan.Parts); n > 1 {
			text += fmt.Sprintf("\nit is written in %d steps; what is at stake is that of the first", n)
		}
		_, err = fmt.Fprintln(out, text)
		return err
	})
}
