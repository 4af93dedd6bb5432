// Command figures runs the tests of the chart and counts what they played: example values that were rendered, cases of the admission policy, and
// alerts. Its last line has the figures.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

type event struct{ Action, Test, Output string }

func main() {
	command := exec.Command("go", "test", "-json", "-count=1", "./...")
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	passed, failed := make(map[string]int), 0
	for events := json.NewDecoder(output); ; {
		var e event
		if events.Decode(&e) != nil {
			break
		}
		name, _, below := strings.Cut(e.Test, "/")
		switch {
		case e.Action == "pass" && below:
			passed[name]++
		case e.Action == "fail" && e.Test != "":
			failed++
		case e.Action == "skip" && e.Test != "":
			fmt.Println("skipped:", e.Test)
		case e.Action == "output" && (strings.Contains(e.Output, "FAIL") || strings.HasPrefix(e.Output, "    ")):
			fmt.Print(e.Output)
		}
	}
	err = command.Wait()
	fmt.Printf("figures: rendered=%d policies=%d alerts=%d failed=%d\n", passed["TestExamples"], passed["TestPolicy"], passed["TestAlerts"], failed)
	if err != nil {
		os.Exit(1)
	}
}
