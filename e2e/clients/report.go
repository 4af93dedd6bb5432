package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

// printReport prints the matrix and the delays, and returns how many cells failed through no fault of the client.
func printReport(results []result, delays []delay) (failed int) {
	passed, bugs := 0, 0
	names := make(map[string]bool)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "client\tmode\tcase\tresult")
	for _, r := range results {
		names[r.client] = true
		verdict := "ok"
		bug := bugOf(r)
		switch {
		case r.err == nil && bug > 0 && !clientBugs()[bug-1].mayPass():
			failed++
			verdict = fmt.Sprintf("FAILED: passes now, although it is listed as bug %d of the client", bug)
		case r.err == nil:
			passed++
		case bug > 0:
			bugs++
			verdict = fmt.Sprintf("client bug %d: %s", bug, clientBugs()[bug-1].sentence)
		default:
			failed++
			verdict = "FAILED: " + strings.ReplaceAll(r.err.Error(), "\n", "; ")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.client, r.mode, r.test, verdict)
	}
	fmt.Fprintln(table, "\nclient\tmode\tchange event after the API's answer\t")
	for _, d := range delays {
		if d.err != nil {
			failed++
			fmt.Fprintf(table, "%s\t%s\tFAILED: %v\n", d.name, d.mode, d.err)
			continue
		}
		fmt.Fprintf(table, "%s\t%s\tp50 %s, p99 %s\n", d.name, d.mode, d.p50.Round(10_000), d.p99.Round(10_000))
	}
	_ = table.Flush()
	fmt.Printf("figures: passed=%d failed=%d client_bugs=%d languages=%d\n", passed, failed, bugs, len(names))
	return failed
}
