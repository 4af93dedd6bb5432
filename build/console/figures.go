package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/go-json-experiment/json"
)

// event is a line of go test -json.
type event struct {
	Action, Test, Output string
	Key, Value           string // of an attribute
}

// results are what a run of the tests of the page found.
type results struct {
	pages, axe, csp, tests, failed int
	attributes                     map[string]string
}

// measure runs the tests of the page and prints what they found.
func measure(ctx context.Context) error {
	tests := exec.CommandContext(ctx, "go", "test", "-count=1", "-json", "./internal/publisher/console", "./build/console")
	tests.Stderr = os.Stderr
	out, err := tests.StdoutPipe()
	if err != nil {
		return err
	}
	if err := tests.Start(); err != nil {
		return err
	}
	found := results{attributes: map[string]string{}}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e, json.MatchCaseInsensitiveNames(true)); err == nil {
			found.add(e)
		}
	}
	err = errors.Join(lines.Err(), tests.Wait())
	a := found.attributes
	fmt.Printf("figures: pages=%d axe=%d csp=%d first_js_kb=%s first_css_kb=%s editor_kb=%s chart_kb=%s paint_10k_ms=%s key_10k_ms=%s tests=%d failed=%d\n",
		found.pages, found.axe, found.csp, a["first_js_kb"], a["first_css_kb"], a["editor_kb"], a["chart_kb"], a["paint_10k_ms"], a["key_10k_ms"], found.tests, found.failed)
	return err
}

func (r *results) add(e event) {
	switch {
	case e.Action == "attr":
		r.attributes[e.Key] = e.Value
	case e.Action == "output" && strings.Contains(e.Output, "axe-core: "):
		r.axe++
	case e.Action == "output" && strings.Contains(e.Output, "policy violation: "):
		r.csp++
	case e.Test != "" && (e.Action == "pass" || e.Action == "fail"):
		r.tests++
		if strings.HasPrefix(e.Test, "TestPages/") {
			r.pages++
		}
		if e.Action == "fail" {
			r.failed++
		}
	}
	if e.Action == "output" && (strings.Contains(e.Output, "FAIL") || strings.HasPrefix(e.Output, "    ")) {
		fmt.Print(e.Output)
	}
}
