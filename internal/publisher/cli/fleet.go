package cli

import (
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

// watchInterval is how often a table is drawn again.
const watchInterval = 2 * time.Second

// clearScreen has a terminal begin at its top.
const clearScreen = "\x1b[H\x1b[2J"

func fleetCommands() []commandline.Command {
	return []commandline.Command{
		command("fleet", "list the sidecars of an environment, and what each of them serves", fleetList),
		command("wait", "wait until sidecars serve a revision, or say which do not", waitCommand),
		command("kill", "turn a flag off everywhere, and say when that is done", killCommand),
	}
}

func fleetList() commandline.Invocation {
	var q api.FleetQuery
	var watch bool
	f := newForm("fleet", "Lists the sidecars of an environment by what they report every ten seconds, and what each of them serves. Reports are claims of those who "+
		"hold the credentials of the environment.").inEnvironment()
	f.set.Bool(&q.Behind, "behind", false, "only sidecars that do not serve the newest revision, silent ones too")
	f.set.Choice(&q.Standing, "standing", "", []string{"current", "behind", "silent", "diverged"}, "only sidecars that stand so")
	f.set.String(&q.Application, "application", "", "only sidecars of this application")
	f.set.String(&q.Namespace, "namespace", "", "only sidecars in this namespace")
	f.set.String(&q.Node, "node", "", "only sidecars on this node")
	f.set.String(&q.Zone, "zone", "", "only sidecars in this zone")
	f.set.String(&q.Version, "sidecar-version", "", "only sidecars of this version of flagside")
	f.set.String(&q.Condition, "condition", "", "only sidecars that report this condition, such as flag-errors")
	f.set.String(&q.Text, "text", "", "only sidecars with this text in their name")
	f.set.Bool(&watch, "watch", false, "show it again every two seconds until you interrupt it").Letter = "w"
	f.check(func() bool { return !watch || f.output == formatTable }, "--watch is for tables")
	return f.runs(func(ctx context.Context, s *session) error {
		for {
			found, err := s.client.AllSidecars(ctx, f.environment, q)
			if watch && err == nil && s.terminal.IsInteractive() {
				fmt.Fprint(s.terminal.Stdout, clearScreen)
			}
			err = s.answer(found, err, func(out io.Writer) error { return printFleet(out, f.environment, found) })
			if err != nil || !watch {
				return err
			}
			select {
			case <-time.After(watchInterval):
			case <-ctx.Done():
				return nil
			}
		}
	})
}

func printFleet(out io.Writer, environment string, f api.Fleet) error {
	if _, err := fmt.Fprintln(out, fleetLine(environment, f)); err != nil {
		return err
	}
	if len(f.Items) > 0 {
		table := list("NAME|NAMESPACE|APPLICATION|STANDS|SERVES|FROM|AGE|VERSION|CLIENTS|REPORTED|REMARK", f.Items, func(s api.Sidecar) []string {
			return []string{
				cell(s.Name), cell(s.Namespace), application(s), cell(s.Standing), cell(s.Revision), cell(s.Serving), ageCell(s.AgeMs), cell(s.Version),
				clientsCell(s.Clients), reported(s.ReportedMsAgo), sidecarRemark(s),
			}
		})
		if err := table(out); err != nil {
			return err
		}
	}
	if len(f.Gone) > 0 {
		_, err := fmt.Fprintln(out, "gone within five minutes: "+goneNames(f.Gone))
		return err
	}
	return nil
}

// fleetLine says how the whole fleet is.
func fleetLine(environment string, f api.Fleet) string {
	s := f.Summary
	text := fmt.Sprintf("%s is at %s: %s", environment, cell(f.Revision), counted(s.Sidecars, "sidecar", "sidecars"))
	if s.Sidecars == 0 {
		text = fmt.Sprintf("%s is at %s: no sidecar has reported", environment, cell(f.Revision))
	}
	for _, standing := range []string{"current", "behind", "diverged", "silent"} {
		if n := s.Standings[standing]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, standing)
		}
	}
	if len(s.Versions) > 1 {
		text += fmt.Sprintf(", %d versions", len(s.Versions))
	}
	switch {
	case !s.Complete && s.CompleteInMs > 0:
		text += fmt.Sprintf("\nthe publisher gathers reports: there may be more sidecars, for another %s", seconds(s.CompleteInMs))
	case !s.Complete:
		text += "\nthe fleet is larger than the table of the publisher: there are more sidecars"
	}
	return text
}

func application(s api.Sidecar) string {
	if s.ApplicationVersion == "" {
		return cell(s.Application)
	}
	return words(s.Application, s.ApplicationVersion)
}

func clientsCell(clients map[string]int) string {
	var texts []string
	for _, face := range slices.Sorted(maps.Keys(clients)) {
		if clients[face] > 0 {
			texts = append(texts, fmt.Sprintf("%s %d", face, clients[face]))
		}
	}
	return remark(strings.Join(texts, ", "))
}

// ageCell returns the age of flags, to what people want to know.
func ageCell(ms *int64) string {
	switch {
	case ms == nil:
		return absent
	case *ms < 2000:
		return "fresh"
	default:
		return seconds(*ms)
	}
}

// seconds returns milliseconds as a duration that people can read.
func seconds(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	return d.Round(time.Second).String()
}

func reported(ms int64) string {
	if ms < 1000 {
		return "now"
	}
	return seconds(ms) + " ago"
}

func sidecarRemark(s api.Sidecar) string {
	var refused string
	if s.Refused > 0 {
		refused = counted(s.Refused, "document refused", "documents refused")
		if len(s.RefusedKeys) > 0 {
			refused += ": " + some(slices.Clone(s.RefusedKeys))
		}
	}
	return remark(strings.Join(s.Conditions, ", "), refused)
}

func goneNames(gone []api.GoneOne) string {
	texts := make([]string, len(gone))
	for i, g := range slices.Backward(gone) {
		texts[len(gone)-1-i] = printable(g.Name) + " (" + printable(g.Why) + ")"
	}
	return some(texts)
}
