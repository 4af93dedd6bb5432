package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/flagside/flagside/internal/figures"
)

func main() {
	testing.Init()
	benchtime := flag.String("time", "300ms", "how long to measure each line")
	match := flag.String("match", "", "measure only lines whose name contains this")
	rounds := flag.Int("rounds", 3, "how often to measure each line; the fastest counts")
	flag.Parse()
	if err := run(*benchtime, *match, max(*rounds, 1)); err != nil {
		fmt.Fprintln(os.Stderr, "eval:", err)
		os.Exit(1)
	}
}

// results are the measurements of one line. A side that was not measured has no runs.
type results struct {
	flagside, flagd testing.BenchmarkResult
}

// ratio returns how many times faster flagside is, 0 if one side was not measured.
func (r results) ratio() float64 {
	if r.flagside.N == 0 || r.flagd.N == 0 {
		return 0
	}
	return nanoseconds(r.flagd) / nanoseconds(r.flagside)
}

// nanoseconds is the time of one run. Unlike NsPerOp it has decimals.
func nanoseconds(r testing.BenchmarkResult) float64 {
	if r.N == 0 {
		return 0
	}
	return float64(r.T.Nanoseconds()) / float64(r.N)
}

func run(benchtime, match string, rounds int) error {
	if err := flag.Set("test.benchtime", benchtime); err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "\tflagside ns\tallocs\tflagd ns\tallocs\ttimes faster\t")
	measured := make(map[string]results)
	for _, c := range comparisons() {
		if !strings.Contains(c.name, match) {
			continue
		}
		r, err := c.measure(rounds)
		if err != nil {
			return err
		}
		measured[c.name] = r
		row(table, c.name, r)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if err := footprints(); err != nil {
		return err
	}
	if match == "" {
		summarise(measured)
	}
	return nil
}

// measure measures both sides in turn, so that a busy machine slows both, and keeps the fastest round of each.
func (c comparison) measure(rounds int) (r results, err error) {
	for range rounds {
		if r.flagside, err = faster(r.flagside, c.flagside); err != nil {
			return r, fmt.Errorf("%s: flagside: %w", c.name, err)
		}
		if c.flagd == nil {
			continue
		}
		if r.flagd, err = faster(r.flagd, c.flagd); err != nil {
			return r, fmt.Errorf("%s: flagd: %w", c.name, err)
		}
	}
	return r, nil
}

// faster runs a benchmark and returns its result, or the best one so far if that is faster.
func faster(best testing.BenchmarkResult, benchmark func(*testing.B)) (testing.BenchmarkResult, error) {
	next := testing.Benchmark(benchmark)
	switch {
	case next.N == 0:
		return best, errors.New("the benchmark failed")
	case best.N > 0 && nanoseconds(best) < nanoseconds(next):
		return best, nil
	default:
		return next, nil
	}
}

func row(table *tabwriter.Writer, name string, r results) {
	flagdTime, flagdAllocations, ratio := "-", "-", "-"
	if r.flagd.N > 0 {
		flagdTime = fmt.Sprintf("%.1f", nanoseconds(r.flagd))
		flagdAllocations = fmt.Sprint(r.flagd.AllocsPerOp())
		ratio = fmt.Sprintf("%.1f", r.ratio())
	}
	_, _ = fmt.Fprintf(table, "%s\t%.1f\t%d\t%s\t%s\t%s\t\n", name, nanoseconds(r.flagside), r.flagside.AllocsPerOp(), flagdTime, flagdAllocations, ratio)
}

// footprints prints what the compiled flags occupy.
func footprints() error {
	for _, n := range []int{10_000, 100_000} {
		f, err := footprintOf(n)
		if err != nil {
			return err
		}
		fmt.Printf("memory/%d flags: %.0f bytes each\n", f.flags, f.bytesPerFlag)
	}
	return nil
}

// summarise prints the closing line. allocs is the sum over all flags that are evaluated by themselves.
func summarise(measured map[string]results) {
	var allocations int64
	for _, s := range singles() {
		allocations += measured["decode+evaluate/"+s.name].flagside.AllocsPerOp()
	}
	static := measured["evaluate/static"].flagside
	rule := measured["evaluate/one rule"].flagside
	fractional := measured["evaluate/fractional"].flagside
	figures.Print(
		figures.Figure{Name: "static_ns", Value: nanoseconds(static)},
		figures.Figure{Name: "rule_ns", Value: nanoseconds(rule)},
		figures.Figure{Name: "fractional_ns", Value: nanoseconds(fractional)},
		figures.Figure{Name: "allocs", Value: float64(allocations)},
		figures.Figure{Name: "targeted_x", Value: measured["decode+evaluate/one rule"].ratio()},
		figures.Figure{Name: "bulk_x", Value: measured["bulk/1k one-rule"].ratio()},
		figures.Figure{Name: "mixed_x", Value: measured["bulk/1k mixed"].ratio()},
		figures.Figure{Name: "update_ms", Value: nanoseconds(measured["update/one of 100000"].flagside) / 1e6},
	)
}
