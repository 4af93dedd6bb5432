package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/flagside/flagside/internal/publisher/api"
)

// diagnosis prints what doctor has found, for people: what looks wrong first.
func diagnosis(out io.Writer, c checkup) error {
	t := diagnosisText{out: out}
	wrong := findings(c)
	if len(wrong) == 0 {
		t.line("Nothing looks wrong.")
	} else {
		t.line("This looks wrong:")
	}
	for _, w := range wrong {
		t.line("- %s", w)
	}
	t.program(c)
	t.publisher(c.Publisher)
	if c.Sidecar != nil {
		t.sidecar(*c.Sidecar)
	}
	return t.err
}

// diagnosisText is a text in the making; after an error nothing more is written.
type diagnosisText struct {
	out io.Writer
	err error
}

func (t *diagnosisText) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.out, format+"\n", args...)
	}
}

func (t *diagnosisText) print(table func(io.Writer) error) {
	if t.err == nil {
		t.err = table(t.out)
	}
}

func (t *diagnosisText) program(c checkup) {
	t.line("\n# this program")
	t.print(details(
		detail{"time", timeCell(c.Time)}, detail{"version", cell(c.Version)}, detail{"built with", cell(c.Go)}, detail{"system", cell(c.System)},
	))
	for _, name := range slices.Sorted(maps.Keys(c.Environment)) {
		t.line("%s=%s", printable(name), printable(c.Environment[name]))
	}
}

func (t *diagnosisText) conditions(s state) {
	for _, c := range s.Conditions {
		t.line("condition: %s", conditionText(c))
	}
}

// readiness returns the details that both programs have.
func readiness(v visit) []detail {
	ahead := absent
	if v.ClockSeconds != nil {
		ahead = strconv.FormatFloat(*v.ClockSeconds, 'g', -1, 64)
	}
	return []detail{{"ready", strconv.FormatBool(v.Ready)}, {"clock ahead by seconds", ahead}}
}

func (t *diagnosisText) publisher(v visit) {
	t.line("\n# publisher at %s", printable(v.Address))
	shown := readiness(v)
	if v.Identity != nil && v.Identity.Caller != nil {
		shown = append(shown, detail{"you are", cell(v.Identity.ID)}, detail{"in groups", cells(v.Identity.Groups)})
	}
	t.print(details(shown...))
	t.conditions(v.state())
	if all := v.environments(); len(all) > 0 {
		t.print(list("NAME|STATE|FLAGS|REVISION|AGE MS", all, func(e api.Environment) []string {
			age := absent
			if e.AgeMs != nil {
				age = decimal(*e.AgeMs)
			}
			return []string{cell(e.Name), environmentState(e), knownFlags(e), cell(e.Revision), age}
		}))
	}
}

func (t *diagnosisText) sidecar(v visit) {
	s := v.state()
	t.line("\n# sidecar at %s", printable(v.Address))
	t.print(details(append(readiness(v),
		detail{"version", cell(s.Version)}, detail{"environment", cell(s.Environment)}, detail{"flags", valueCell(s.Flags)}, detail{"revision", valueCell(s.Revision)},
		detail{"answers come from", cell(s.Serving.State)}, detail{"age in seconds", valueCell(s.Serving.AgeSeconds)},
		detail{"age is an estimate", valueCell(s.Serving.AgeEstimated)}, detail{"connected", valueCell(s.Log.Connected)}, detail{"gaps", valueCell(s.Log.Gaps)},
		detail{"last error of the log", cell(s.Log.LastError)})...))
	t.conditions(s)
	for _, p := range s.Problems {
		t.line("problem: %s", words(p.Kind, p.Key, p.Pointer, p.Reason, p.Hint))
	}
}
