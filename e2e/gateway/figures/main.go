// Command figures runs the tests of the gate behind proxies, and prints what became of each case behind each proxy, and what the gate adds to a request.
// Its last line has the figures.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// event is a line of go test -json.
type event struct{ Action, Test, Output string }

func main() {
	command := exec.Command("go", "test", "-json", "-count=1", "-timeout", "10m", "./e2e/gateway") // #nosec G204 -- fixed
	command.Env = append(os.Environ(), "FLAGSIDE_SOAK=1")
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	m := newMatrix()
	for events := json.NewDecoder(output); ; {
		var e event
		if events.Decode(&e) != nil {
			break
		}
		m.take(e)
	}
	if err = command.Wait(); err != nil {
		m.failed = max(m.failed, 1)
	}
	m.print()
	if m.failed > 0 {
		os.Exit(1)
	}
}

// matrix is what became of each case behind each proxy.
type matrix struct {
	proxies, cases []string // in the order in which they ran
	cells          map[[2]string]string
	figures        map[[2]string]string
	measured       string
	latency        string
	passed, failed int
}

func newMatrix() *matrix {
	return &matrix{cells: make(map[[2]string]string), figures: make(map[[2]string]string), measured: "added_p50_ms=-1 added_p99_ms=-1 cpu_us=-1"}
}

// take takes what a test says.
func (m *matrix) take(e event) {
	parts := strings.Split(e.Test, "/")
	if e.Action == "output" {
		m.read(parts, e.Output)
		return
	}
	if e.Action != "pass" && e.Action != "fail" && e.Action != "skip" {
		return
	}
	switch {
	case len(parts) == 3:
		m.cells[[2]string{parts[1], parts[2]}] = e.Action
		m.proxies, m.cases = with(m.proxies, parts[1]), with(m.cases, parts[2])
	case len(parts) == 2 && e.Action == "skip":
		m.proxies = with(m.proxies, parts[1])
	}
	if parts[0] == "TestProxies" && len(parts) < 3 {
		return // its cases count
	}
	switch e.Action {
	case "pass":
		m.passed++
	case "fail":
		m.failed++
	}
}

// read keeps a figure that a test tells, and shows what failed.
func (m *matrix) read(test []string, line string) {
	if _, said, found := strings.Cut(line, "figure: "); found {
		if len(test) == 3 {
			m.figures[[2]string{test[1], test[2]}] += strings.TrimSpace(said)
		} else {
			m.latency = strings.TrimSpace(said)
		}
		return
	}
	if _, said, found := strings.Cut(line, "measured: "); found {
		m.measured = strings.TrimSpace(said)
		return
	}
	if strings.HasPrefix(line, "    ") && !strings.Contains(line, "--- PASS") {
		fmt.Fprint(os.Stderr, line)
	}
}

// with returns a list with a name, once.
func with(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

func (m *matrix) print() {
	for _, proxy := range m.proxies {
		fmt.Println(strings.ReplaceAll(proxy, "_", " "))
		for _, name := range m.cases {
			at := [2]string{proxy, name}
			result := m.cells[at]
			if result == "" {
				result = "not tried"
			}
			fmt.Printf("  %-10s %-42s %s\n", result, strings.ReplaceAll(name, "_", " "), m.figures[at])
		}
	}
	if m.latency != "" {
		fmt.Println("through nginx:", m.latency)
	}
	fmt.Printf("figures: passed=%d failed=%d %s\n", m.passed, m.failed, m.measured)
}
