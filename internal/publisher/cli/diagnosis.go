package cli

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/publisher/api"
)

// state is what is shown to people of /status, which is that of a publisher or of a sidecar.
type state struct {
	Conditions   []conditionState   `json:"conditions"`
	ProblemCount int                `json:"problemCount"`
	Problems     []api.ProblemPlace `json:"problems"`
	Version      string             `json:"version"`
	Environment  string             `json:"environment"`
	Flags        jsontext.Value     `json:"flags"`
	Revision     jsontext.Value     `json:"revision"`
	Serving      struct {
		State        string         `json:"state"`
		AgeSeconds   jsontext.Value `json:"ageSeconds"`
		AgeEstimated jsontext.Value `json:"ageEstimated"`
	} `json:"serving"`
	Log struct {
		Connected jsontext.Value `json:"connected"`
		Gaps      jsontext.Value `json:"gaps"`
		LastError string         `json:"lastError"`
	} `json:"log"`
}

// conditionState is a condition that a program reports.
type conditionState struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Since    string `json:"since"`
	Sentence string `json:"sentence"`
	Detail   string `json:"detail"`
}

// state returns the state that a program tells; the zero value if it tells none.
func (v visit) state() (s state) {
	_ = json.Unmarshal(v.Status, &s) // what cannot be read is not shown
	return s
}

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

// skewSeconds is from which difference on clocks are worth a word: heartbeats tell no less.
const skewSeconds = 2

// findings says in a sentence each what looks wrong.
func findings(c checkup) []string {
	list := visitFindings("publisher", c.Publisher)
	if c.Sidecar != nil {
		list = append(list, visitFindings("sidecar", *c.Sidecar)...)
	}
	return append(list, environmentFindings(c.Publisher)...)
}

func visitFindings(program string, v visit) (list []string) {
	if v.Unreachable != "" {
		return []string{fmt.Sprintf("the %s at %s cannot be reached: %s", program, printable(v.Address), printable(v.Unreachable))}
	}
	if v.StatusError != "" {
		list = append(list, fmt.Sprintf("the %s does not tell its state: %s", program, printable(v.StatusError)))
	}
	if !v.Ready {
		list = append(list, fmt.Sprintf("the %s is not ready: %s", program, strings.TrimPrefix(printable(v.NotReady), "not ready: ")))
	}
	if v.ClockSeconds != nil && math.Abs(*v.ClockSeconds) >= skewSeconds {
		list = append(list, fmt.Sprintf("the clock of the %s differs from the one here by %g s", program, *v.ClockSeconds))
	}
	state := v.state()
	for _, c := range state.Conditions {
		if c.Severity != "info" {
			list = append(list, program+": "+conditionText(c))
		}
	}
	if state.ProblemCount > 0 {
		list = append(list, fmt.Sprintf("the sidecar does not serve the newest version of some documents: %d problems", state.ProblemCount))
	}
	return list
}

func conditionText(c conditionState) string {
	since, _, _ := strings.Cut(c.Since, ".")
	text := fmt.Sprintf("%s, %s since %s: %s", c.Code, c.Severity, strings.TrimSuffix(since, "Z")+"Z", c.Sentence)
	if c.Detail != "" {
		text += " (" + c.Detail + ")"
	}
	return printable(text)
}

// environmentFindings says what the API does not tell, and which environments cannot be written.
func environmentFindings(v visit) (list []string) {
	if v.Identity != nil && v.Identity.Error != "" {
		return []string{"the publisher tells you nothing of environments: " + printable(v.Identity.Error)}
	}
	for _, e := range v.environments() {
		if e.Refused != "" {
			list = append(list, fmt.Sprintf("environment %s cannot be written: %s", printable(e.Name), printable(e.Refused)))
		}
	}
	return list
}

// environments returns those that the API has shown.
func (v visit) environments() []api.Environment {
	if v.Environments == nil || v.Environments.EnvironmentList == nil {
		return nil
	}
	return v.Environments.Items
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
