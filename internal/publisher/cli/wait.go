package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/api"
)

const (
	// defaultWait is how long sidecars are waited for at most.
	defaultWait = 30 * time.Second
	// maxPoll is how long one answer is waited for: proxies end what lasts longer.
	maxPoll = 20 * time.Second
	// everyone is all sidecars, in percent.
	everyone = 100
)

// patience is what is waited for, and how long.
type patience struct {
	wait    bool
	timeout time.Duration
	percent float64
	clients bool // whether clients are told of that evaluate by themselves
}

// waits declares the options by which a change is waited for.
func (f *form) waits() *patience {
	w := &patience{percent: everyone}
	f.set.Bool(&w.wait, "wait", false, "wait until every sidecar serves the change; exit code 11 and the names of those that do not").Shared()
	f.waitTime(&w.timeout, "how long --wait waits at most").Shared()
	return w
}

func (f *form) waitTime(p *time.Duration, usage string) *config.Option {
	f.check(func() bool { return *p > 0 }, "--timeout is longer than 0")
	return f.set.Duration(p, "timeout", defaultWait, usage)
}

func waitCommand() commandline.Invocation {
	var revision, percent string
	var all, last bool
	w := patience{percent: everyone}
	f := newForm("wait", "Waits until every sidecar that has reported serves a revision, without one the newest. If the time ends before, it names those that do not.").inEnvironment()
	f.set.Argument(&revision, "REVISION", "revision such as 1f0c9a7e-42; without it the newest").Optional()
	f.set.Bool(&last, "last", false, "wait for the newest revision")
	f.set.Bool(&all, "all", false, "wait for all sidecars, which is the default")
	f.set.String(&percent, "percent", "", "wait for so many percent of the sidecars, such as 99")
	f.waitTime(&w.timeout, "how long to wait at most")
	f.check(func() bool { return revision == "" || !last }, "give a revision or --last, not both")
	f.check(func() bool { return !all || percent == "" }, "--all and --percent exclude each other")
	f.check(func() bool {
		if percent == "" {
			return true
		}
		n, err := strconv.ParseFloat(percent, 64)
		w.percent = n
		return err == nil && w.percent >= 0 && w.percent <= everyone
	}, "--percent is a number from 0 to 100")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := w.until(ctx, s, f.environment, cmp.Or(revision, "last"))
		if err != nil {
			return err
		}
		if err := s.print(found, func(out io.Writer) error {
			if !reached(found) {
				return nil
			}
			return w.say(out, found)
		}); err != nil {
			return err
		}
		return w.unmet(found)
	})
}

// until asks where a revision is served until it is everywhere, or the time is over.
func (w *patience) until(ctx context.Context, s *session, environment, revision string) (api.Convergence, error) {
	deadline := time.Now().Add(w.timeout)
	for {
		left := time.Until(deadline)
		found, err := s.client.Convergence(ctx, environment, revision, api.ConvergenceQuery{
			Percent: w.percent, WaitMs: max(min(left, maxPoll), 0).Milliseconds(),
		})
		switch {
		case left > 0 && err != nil && ExitCode(s.failure(ctx, err)) == exitUnavailable: // such as a publisher that is started again
			select {
			case <-time.After(min(poll, left)):
			case <-ctx.Done():
				return found, ctx.Err()
			}
		case err != nil, reached(found), time.Until(deadline) <= 0:
			return found, err
		}
		if found.Revision != "" {
			revision = found.Revision // last is the newest of the first answer
		}
	}
}

// reached reports whether there is nothing to wait for any more.
func reached(c api.Convergence) bool { return c.Converged || c.Complete && c.Of == 0 }

// servedBy says where a revision is served.
func servedBy(c api.Convergence, percent float64) string {
	if c.Of == 0 {
		return fmt.Sprintf("no sidecar has reported, so none was waited for: revision %s", cell(c.Revision))
	}
	text := fmt.Sprintf("served by %d of %s", c.Served, counted(c.Of, "sidecar", "sidecars"))
	switch took := c.ServedIn; {
	case took != nil && took.AllMs != nil && c.Served == c.Of:
		text += " after " + milliseconds(*took.AllMs)
	case took != nil && took.Acks > 0 && percent < everyone:
		text += ", half of them after " + milliseconds(took.MedianMs)
	}
	return text
}

// say prints where a revision is served, and what is not known of that.
func (w *patience) say(out io.Writer, c api.Convergence) error {
	lines := append([]string{servedBy(c, w.percent)}, unheard(c.Lost)...)
	if w.clients && c.Evaluating > 0 {
		lines = append(lines, counted(c.Evaluating, "client evaluates by itself: it hears", "clients evaluate by themselves: they hear")+
			" of the change by the stream of the sidecar, and nothing tells when")
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

// unheard says which sidecars are not counted any more and may still answer; none if there are none.
func unheard(lost []api.GoneOne) []string {
	if len(lost) == 0 {
		return nil
	}
	first, names := lost[0].HeardAt, make([]string, len(lost))
	for i, g := range lost {
		names[i] = placed(g.Name, g.Namespace)
		if g.HeardAt.Before(first) {
			first = g.HeardAt
		}
	}
	if len(lost) == 1 {
		return []string{fmt.Sprintf("1 sidecar was not heard of since %s, it may still answer: %s", timeCell(first), names[0])}
	}
	return []string{fmt.Sprintf("%d sidecars were not heard of since %s or later, they may still answer: %s", len(lost), timeCell(first), some(names))}
}

// placed returns a name with its namespace, if it has one.
func placed(name, namespace string) string {
	if namespace == "" {
		return printable(name)
	}
	return printable(name) + " in " + printable(namespace)
}

// servedIn says how a change came to sidecars, empty if that is not known.
func servedIn(s *api.ServedIn) string {
	switch {
	case s == nil:
		return ""
	case s.AllMs != nil:
		return fmt.Sprintf("served by %s after %s", counted(s.Sidecars, "sidecar", "sidecars"), milliseconds(*s.AllMs))
	default:
		return fmt.Sprintf("served by %d of %s", s.Served, counted(s.Of, "sidecar", "sidecars"))
	}
}

// milliseconds returns a time to what matters of it.
func milliseconds(ms float64) string {
	switch {
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f s", ms/1000)
	}
}

// unmet returns the failure that sidecars do not serve a revision, with their names; nil if there is nothing to wait for.
func (w *patience) unmet(c api.Convergence) error {
	if reached(c) {
		return nil
	}
	lines := []string{fmt.Sprintf("revision %s is not served everywhere after %s: by %d of %s", cell(c.Revision), w.timeout, c.Served, counted(c.Of, "sidecar", "sidecars"))}
	for _, late := range c.Stragglers {
		lines = append(lines, "  "+straggler(late))
	}
	if c.More > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", c.More))
	}
	lines = append(lines, unheard(c.Lost)...)
	if !c.Complete {
		lines = append(lines, "the publisher does not know the whole fleet: it was started or lost its connection within 15 seconds, or there are too many sidecars")
	}
	return &failure{code: exitNotServed, text: strings.Join(lines, "\n")}
}

func straggler(s api.Straggler) string {
	text := placed(s.Name, s.Namespace)
	at := "without flags of the log"
	if s.Revision != "" {
		at = "at " + printable(s.Revision)
	}
	switch s.Why {
	case "refused":
		return text + ": could not compile a document of the change, " + at
	case "diverged":
		return text + ": serves other documents than it should, " + at
	default:
		return fmt.Sprintf("%s: %s %s, last report %s", text, printable(s.Why), at, reported(s.ReportedMsAgo))
	}
}

// then waits for a revision that a command has made, if it is to, and says where it is served. The answer of the command stands on standard
// output already, so in other formats than a table this stands on standard error.
func (w *patience) then(ctx context.Context, s *session, environment, revision string) error {
	if w == nil || !w.wait || revision == "" {
		return nil
	}
	found, err := w.until(ctx, s, environment, revision)
	if err != nil { // whatever else it means, it does not mean that nothing was written
		return &failure{code: exitNotServed, text: fmt.Sprintf("the change is made (revision %[1]s); where it is served is not known: run flagside wait %[1]s -e %[2]s\n%[3]v",
			printable(revision), printable(environment), s.failure(ctx, err))}
	}
	if err := w.unmet(found); err != nil {
		return err
	}
	out := s.terminal.Stdout
	if s.output != formatTable {
		out = s.terminal.Stderr
	}
	return w.say(out, found)
}
