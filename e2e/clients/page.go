package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// documentation is the page with the table of what works.
const documentation = "../../docs/compatibility.md"

// What is between these lines is made.
const (
	tableBegin = "<!-- Generated up to the next mark: FLAGSIDE_UPDATE=1 make clients -->\n"
	tableEnd   = "<!-- The end of what is generated. -->\n"
)

// verifyPage compares the table of the documentation with the results. With FLAGSIDE_UPDATE=1 it writes it.
func verifyPage(results []result) error {
	text, err := os.ReadFile(documentation)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		return fmt.Errorf("%s has not the two marks of the table of clients", documentation)
	}
	page := before + tableBegin + "\n" + resultTable(results) + "\n" + tableEnd + after
	if page == string(text) {
		return nil
	}
	if os.Getenv("FLAGSIDE_UPDATE") == "" {
		return errors.New(documentation + " shows other results: FLAGSIDE_UPDATE=1 make clients writes them")
	}
	return os.WriteFile(documentation, []byte(page), 0o644) // #nosec G306 -- a page for all
}

// resultTable has a row for each case and a column for each client. A cell names the modes that pass, or the bug of the client.
func resultTable(results []result) string {
	var names, tests []string
	modes := make(map[string][]string)
	for _, r := range results {
		if !slices.Contains(names, r.client) {
			names = append(names, r.client)
		}
		if !slices.Contains(tests, r.test) {
			tests = append(tests, r.test)
		}
		if !slices.Contains(modes[r.client], r.mode) {
			modes[r.client] = append(modes[r.client], r.mode)
		}
	}
	var out strings.Builder
	out.WriteString("| Case |")
	for _, name := range names {
		out.WriteString(" " + name + " |")
	}
	out.WriteString("\n|---|" + strings.Repeat("---|", len(names)) + "\n")
	for _, test := range tests {
		out.WriteString("| " + strings.ToUpper(test[:1]) + test[1:] + " |")
		for _, name := range names {
			out.WriteString(" " + cell(results, name, test) + " |")
		}
		out.WriteString("\n")
	}
	out.WriteString("\n" + bugList(results))
	return out.String()
}

// cell tells of one case with all modes of a client: "yes" if all that have it pass, else the modes that do not, with the numbers of the bugs.
func cell(results []result, name, test string) string {
	var passed, failed []string
	for _, r := range results {
		switch {
		case r.client != name || r.test != test:
		case bugOf(r) == 0:
			passed = append(passed, r.mode)
		default:
			failed = append(failed, fmt.Sprintf("%s [%d]", r.mode, bugOf(r)))
		}
	}
	switch {
	case len(passed)+len(failed) == 0:
		return ""
	case len(failed) == 0:
		return fmt.Sprintf("%d of %d", len(passed), len(passed))
	default:
		return fmt.Sprintf("%d of %d, not %s", len(passed), len(passed)+len(failed), strings.Join(failed, ", "))
	}
}

// bugList numbers what is wrong with clients, as cells do.
func bugList(results []result) string {
	var out strings.Builder
	for i, b := range clientBugs() {
		found := slices.ContainsFunc(results, func(r result) bool { return bugOf(r) == i+1 })
		if !found {
			continue
		}
		fmt.Fprintf(&out, "%d. %s: %s.", i+1, b.client, b.sentence)
		if b.issue != "" {
			fmt.Fprintf(&out, " (%s)", b.issue)
		}
		out.WriteString("\n")
	}
	return out.String()
}
