package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/flagside/flagside/internal/attacks"
)

// verdict is what became of a listed attack, and of the variants that its test tries.
type verdict struct {
	attacks.Attack

	leaves map[place]outcome
}

// String says what is to be read in the table.
func (v verdict) String() string {
	count := func(o outcome) (n int) {
		for _, found := range v.leaves {
			if found == o {
				n++
			}
		}
		return n
	}
	switch failed, skipped, passed := count("fail"), count("skip"), count("pass"); {
	case len(v.leaves) == 0:
		return "NO SUCH TEST"
	case failed > 0:
		return fmt.Sprintf("%d SUCCEEDED", failed)
	case skipped > 0:
		return fmt.Sprintf("%d SKIPPED", skipped)
	case passed < len(v.leaves):
		return fmt.Sprintf("%d NOT ENDED", len(v.leaves)-passed)
	default:
		return fmt.Sprintf("%d repelled", passed)
	}
}

func (v verdict) repelled() bool { return strings.HasSuffix(v.String(), " repelled") }

// report is what became of all attacks.
type report struct {
	verdicts []verdict
	tried    map[place]outcome // each once, however often it is listed
}

func judge(all []attacks.Attack, found results) report {
	r := report{tried: make(map[place]outcome)}
	leaves := found.leaves()
	for _, a := range all {
		v := verdict{a, make(map[place]outcome)}
		for at, o := range leaves {
			if at.folder == a.Package && a.Covers(at.test) {
				v.leaves[at], r.tried[at] = o, o
			}
		}
		r.verdicts = append(r.verdicts, v)
	}
	return r
}

func (r report) succeeded() (n int) {
	for _, o := range r.tried {
		if o == "fail" {
			n++
		}
	}
	return n
}

// problems names each attack that was not repelled.
func (r report) problems() (all []error) {
	for _, v := range r.verdicts {
		if !v.repelled() {
			all = append(all, fmt.Errorf("%s, %s: %s in %s: %s", v.Attacker, v.Operation, v.Test, v.Package, v))
		}
	}
	return all
}

// print writes the attacks by attacker, and then those that broke something before.
func (r report) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, attacker := range attacks.Attackers() {
		_, _ = fmt.Fprintf(table, "%s\n", attacker) // Flush returns the error
		for _, operation := range attacks.Operations() {
			for _, v := range r.verdicts {
				if v.Attacker == attacker && v.Operation == operation {
					_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", v.Operation, v.Package, v.Test, v)
				}
			}
		}
	}
	_, _ = fmt.Fprintf(table, "\nwhat was broken before\n")
	for _, broken := range attacks.Broken() {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", broken, r.verdictOf(broken))
	}
	_, _ = fmt.Fprintln(table)
	return table.Flush()
}

func (r report) verdictOf(broken string) string {
	all := make(map[place]bool)
	for _, v := range r.verdicts {
		if v.Broke == broken {
			if !v.repelled() {
				return v.String()
			}
			for at := range v.leaves {
				all[at] = true
			}
		}
	}
	if len(all) == 0 {
		return "NOT TRIED"
	}
	return fmt.Sprintf("%d repelled", len(all))
}
