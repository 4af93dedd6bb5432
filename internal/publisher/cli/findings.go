package cli

import (
	"fmt"
	"math"
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
