package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// diagnosis prints what doctor has found, for people: what looks wrong first.
func diagnosis(out io.Writer, value any) error {
	t := diagnosisText{out: out}
	wrong := findings(value)
	if len(wrong) == 0 {
		t.line("Nothing looks wrong.")
	} else {
		t.line("This looks wrong:")
	}
	for _, w := range wrong {
		t.line("- %s", w)
	}
	t.program(value)
	t.publisher(value)
	t.sidecar(value)
	return t.err
}

// skewSeconds is from which difference on clocks are worth a word: heartbeats tell no less.
const skewSeconds = 2

// findings says in a sentence each what looks wrong.
func findings(value any) (list []string) {
	for _, program := range []string{"publisher", "sidecar"} {
		v := find(value, program)
		if v == nil {
			continue
		}
		if why := word(v, "unreachable"); why != "" {
			list = append(list, fmt.Sprintf("the %s at %s cannot be reached: %s", program, word(v, "address"), why))
			continue
		}
		if why := word(v, "statusError"); why != "" {
			list = append(list, fmt.Sprintf("the %s does not tell its state: %s", program, why))
		}
		if find(v, "ready") != true {
			list = append(list, fmt.Sprintf("the %s is not ready: %s", program, strings.TrimPrefix(word(v, "notReady"), "not ready: ")))
		}
		if ahead := number(find(v, "clockSeconds")); math.Abs(ahead) >= skewSeconds {
			list = append(list, fmt.Sprintf("the clock of the %s differs from the one here by %g s", program, ahead))
		}
		for _, c := range conditions(v) {
			if word(c, "severity") != "info" {
				list = append(list, program+": "+conditionText(c))
			}
		}
		if n := number(find(v, "status.problemCount")); n > 0 {
			list = append(list, fmt.Sprintf("the sidecar does not serve the newest version of some documents: %g problems", n))
		}
	}
	return append(list, environmentFindings(value)...)
}

// conditions returns the conditions that a program reports.
func conditions(v any) []any {
	all, _ := find(v, "status.conditions").([]any)
	return all
}

func conditionText(c any) string {
	since, _, _ := strings.Cut(word(c, "since"), ".")
	text := fmt.Sprintf("%s, %s since %s: %s", word(c, "code"), word(c, "severity"), strings.TrimSuffix(since, "Z")+"Z", word(c, "sentence"))
	if detail := word(c, "detail"); detail != "" {
		text += " (" + detail + ")"
	}
	return text
}

// environmentFindings says what the API does not tell, and which environments cannot be written.
func environmentFindings(value any) (list []string) {
	if why := word(value, "publisher.identity.error"); why != "" {
		return []string{"the publisher tells you nothing of environments: " + why}
	}
	all, _ := find(value, "publisher.environments.items").([]any)
	for _, e := range all {
		if why := word(e, "writesRefused"); why != "" {
			list = append(list, fmt.Sprintf("environment %s cannot be written: %s", word(e, "name"), why))
		}
	}
	return list
}

func number(value any) float64 {
	n, _ := value.(json.Number)
	f, _ := n.Float64() // 0 for what is none
	return f
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

func (t *diagnosisText) details(value any, columns ...column) {
	if t.err == nil {
		t.err = details(columns...)(t.out, value)
	}
}

func (t *diagnosisText) program(value any) {
	t.line("\n# this program")
	t.details(value, at("time", "time"), at("version", "version"), at("built with", "go"), at("system", "system"))
	variables, _ := find(value, "environment").(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		t.line("%s=%s", printable(name), word(variables, name))
	}
}

func (t *diagnosisText) conditions(v any) {
	for _, c := range conditions(v) {
		t.line("condition: %s", conditionText(c))
	}
}

func (t *diagnosisText) publisher(value any) {
	t.line("\n# publisher at %s", word(value, "publisher.address"))
	v := find(value, "publisher")
	t.details(v, at("ready", "ready"), at("clock ahead by seconds", "clockSeconds"), at("you are", "identity.id"), at("in groups", "identity.groups"))
	t.conditions(v)
	if items, _ := find(v, "environments.items").([]any); len(items) > 0 && t.err == nil {
		t.err = list(at("NAME", "name"), column{"STATE", environmentState}, column{"FLAGS", knownFlags}, at("REVISION", "revision"),
			at("AGE MS", "ageMs"))(t.out, find(v, "environments"))
	}
}

func (t *diagnosisText) sidecar(value any) {
	v := find(value, "sidecar")
	if v == nil {
		return
	}
	t.line("\n# sidecar at %s", word(v, "address"))
	t.details(v, at("ready", "ready"), at("clock ahead by seconds", "clockSeconds"),
		at("version", "status.version"), at("environment", "status.environment"), at("flags", "status.flags"), at("revision", "status.revision"),
		at("answers come from", "status.serving.state"), at("age in seconds", "status.serving.ageSeconds"), at("age is an estimate", "status.serving.ageEstimated"),
		at("connected", "status.log.connected"), at("gaps", "status.log.gaps"), at("last error of the log", "status.log.lastError"))
	t.conditions(v)
	problems, _ := find(v, "status.problems").([]any)
	for _, p := range problems {
		t.line("problem: %s", strings.Join(present(word(p, "kind"), word(p, "key"), word(p, "pointer"), word(p, "reason"), word(p, "hint")), " "))
	}
}
