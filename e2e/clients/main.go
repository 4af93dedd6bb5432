// Command clients points real OpenFeature clients at a sidecar and prints what works: a matrix of client, mode and case.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"
)

func main() {
	binaries := flag.String("binaries", "../../bin", "directory of the built programs")
	scripts := flag.String("scripts", "javascript", "directory of the drivers in JavaScript, with their packages installed")
	only := flag.String("only", "", "run one client only, such as Go/rpc")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	failed, err := run(ctx, *binaries, *scripts, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

func run(ctx context.Context, binaries, scripts, only string) (failed int, err error) {
	dir, err := os.MkdirTemp("", "flagside-clients-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := newSystem(binaries, dir)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	if err := s.start(ctx); err != nil {
		return 0, err
	}
	pages := slices.DeleteFunc(s.originPages(), func(p originPage) bool { return only != "" && only != "web/"+p.mode })
	columns := slices.DeleteFunc(clients(scripts), func(c client) bool { return only != "" && only != c.name+"/"+c.mode })
	var results []result
	var delays []delay
	for _, c := range columns {
		results = append(results, s.column(ctx, c)...)
	}
	for _, p := range pages {
		results = append(results, s.origins(ctx, scripts, p)...)
	}
	for _, c := range columns {
		if !c.silent && c.mode != "polling" {
			delays = append(delays, s.delays(ctx, c))
		}
	}
	return printReport(results, delays), nil
}

// delay is how long after the answer of the admin API a client has told of the change.
type delay struct {
	client
	p50, p99 time.Duration
	err      error
}

// measuredChanges is how many changes a delay rests on.
const measuredChanges = 200

func (s *system) delays(ctx context.Context, c client) delay {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	driver, err := c.open(starting, s)
	if err != nil {
		return delay{client: c, err: err}
	}
	defer driver.Close()
	var took []time.Duration
	for range measuredChanges {
		drain(driver)
		if _, err := s.change(ctx); err != nil {
			return delay{client: c, err: err}
		}
		begin := time.Now()
		if err := awaitChange(ctx, driver, 5*time.Second); err != nil {
			return delay{client: c, err: err}
		}
		took = append(took, time.Since(begin))
		time.Sleep(20 * time.Millisecond) // changes of people are apart
	}
	slices.Sort(took)
	return delay{client: c, p50: took[len(took)/2], p99: took[len(took)*99/100]}
}
