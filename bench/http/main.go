//go:build linux

// Command http measures what an answer costs: a sidecar as it is released, on a core of its own, beside a server that sends the same bytes and does
// nothing else, and beside other servers of OFREP that run already. docs/benchmarks.md says how to read what it prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/flagside/flagside/bench/cores"
	"github.com/flagside/flagside/bench/measure"
)

// options say what is measured, and how long.
type options struct {
	full        bool
	guard       bool
	update      bool
	scenarios   []string
	file        string
	flags       int
	flagFile    int
	rounds      int
	seconds     float64
	connections int
	profiles    string
	peers       peers
}

func main() {
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	case o.flagFile > 0:
		_, _ = os.Stdout.Write(flagFile(o.flagFile))
		return
	}
	os.Exit(measure.Run("bench", o.limit(), o.run))
}

func parse(arguments []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.BoolVar(&o.full, "full", false, "measure all scenarios")
	f.Func("scenario", "name of a scenario, or several separated by commas, in place of those of the short run; may be repeated", func(text string) error {
		o.scenarios = append(o.scenarios, strings.Split(text, ",")...)
		return nil
	})
	f.StringVar(&o.file, "scenarios", "", "file with scenarios, in place of bench/http/scenarios.json")
	f.IntVar(&o.flags, "flags", 0, "how many flags there are, in place of what the scenarios say; 1000 with --peer")
	f.IntVar(&o.flagFile, "flag-file", 0, "write a flagd file with so many flags, for a peer, and exit")
	f.IntVar(&o.rounds, "rounds", 5, "how many rounds")
	f.Float64Var(&o.seconds, "seconds", 2, "how long each server is measured in each scenario and round, after a quarter of it as warm-up")
	f.IntVar(&o.connections, "connections", 16, "how many connections")
	f.Func("peer", "name=http://host:port or name=unix:path: a server of OFREP that runs already and has the flags of --flag-file; may be repeated", func(text string) error {
		o.peers.servers = append(o.peers.servers, text)
		return nil
	})
	f.Func("pid", "number of the process of a peer; once for each", func(text string) error {
		o.peers.pids = append(o.peers.pids, text)
		return nil
	})
	f.StringVar(&o.profiles, "profiles", "", "directory for a CPU profile of the sidecar in each scenario, of the last round; it costs some of what is measured")
	f.BoolVar(&o.guard, "guard", false, "compare the costs to the limit with those of bench/http/guard.json, in half a minute")
	f.BoolVar(&o.update, "update", false, "with --guard: write them there")
	if err := f.Parse(arguments); err != nil {
		return options{}, err
	}
	return o, o.check(f.Args())
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is no option", rest[0])
	case o.rounds < 1 || o.seconds <= 0 || o.connections < 1:
		return errors.New("--rounds, --seconds and --connections must be more than 0")
	case (o.flags != 0 && o.flags < fewestFlags) || (o.flagFile != 0 && o.flagFile < fewestFlags):
		return fmt.Errorf("the least number of flags is %d", fewestFlags)
	}
	if o.flags == 0 && len(o.peers.servers) > 0 {
		o.flags = 1000
	}
	return nil
}

// peerScenarios are what peers are asked unless something else is said: what each of them can answer.
func peerScenarios() []string {
	return []string{askStatic, askTargeted, askFractional, "static-open", "mixed-1k", "bulk-1k"}
}

// limit is how long all of it may take.
func (o *options) limit() time.Duration {
	return time.Hour + 100*time.Duration(float64(o.rounds)*o.seconds*float64(time.Second))
}

func (o *options) amount() amount {
	measured := time.Duration(o.seconds * float64(time.Second))
	return amount{warmUp: measured / 4, measured: measured, connections: o.connections}
}

// chosen returns the scenarios that are measured.
func (o *options) chosen(others []peer) ([]scenario, error) {
	all, err := readScenarios(o.file)
	if err != nil {
		return nil, err
	}
	names := o.scenarios
	if len(names) == 0 && len(others) > 0 && !o.full {
		names = peerScenarios()
	}
	chosen, err := choose(all, names, o.full)
	for i := range chosen {
		if o.flags > 0 {
			chosen[i].Flags = o.flags
		}
	}
	return chosen, err
}

func (o *options) run(ctx context.Context, site measure.Site) error {
	if o.guard {
		return guard(ctx, site, o.update)
	}
	others, err := o.peers.parse()
	if err != nil {
		return err
	}
	scenarios, err := o.chosen(others)
	if err != nil {
		return err
	}
	if o.profiles != "" || len(o.scenarios) > 0 || o.file != "" || o.flags > 0 {
		return o.measure(ctx, site, scenarios, others)
	}
	return o.measureAll(ctx, site, scenarios, others)
}

// measure measures the scenarios on one core, from another one.
func (o *options) measure(ctx context.Context, site measure.Site, scenarios []scenario, others []peer) error {
	w, err := apart(ctx, site, scenarios)
	defer w.close()
	if err != nil {
		return err
	}
	w.profiles = o.profiles
	r, err := w.measureScenarios(ctx, scenarios, others, o.rounds, o.amount())
	if err != nil {
		return err
	}
	r.print(os.Stdout)
	return nil
}

// apart returns a world whose servers have one core, while this process keeps to another one from now on. The caller closes it also after an error.
func apart(ctx context.Context, site measure.Site, scenarios []scenario) (*world, error) {
	_, core, err := cores.Split()
	if err != nil {
		return new(world), err
	}
	return newWorld(ctx, site, core, environments(scenarios))
}

// measureScenarios prepares the scenarios and measures them.
func (w *world) measureScenarios(ctx context.Context, scenarios []scenario, others []peer, rounds int, much amount) (*results, error) {
	for _, p := range others {
		if err := p.check(scenarios); err != nil {
			return nil, err
		}
	}
	var all []*asked
	for _, s := range scenarios {
		a, err := w.ready(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
		}
		all = append(all, a)
	}
	warn(os.Stderr, others, w.core)
	return w.measureRounds(ctx, os.Stderr, all, others, rounds, much)
}

// environments returns those that scenarios need, and how many flags each has.
func environments(scenarios []scenario) map[string]int {
	all := make(map[string]int)
	for _, s := range scenarios {
		all[s.environment()] = s.Flags
	}
	return all
}
