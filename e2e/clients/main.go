// Command clients points real OpenFeature clients at a sidecar and prints what works: a matrix of client, mode and case.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/process"
)

func main() {
	binaries := flag.String("binaries", "../../bin", "directory of the built programs")
	only := flag.String("only", "", "run one client only, such as Go/rpc, or one language, such as Java")
	parallel := flag.Int("parallel", 2, "how many languages run at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	failed, err := run(ctx, *binaries, *only, *parallel)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

func run(ctx context.Context, binaries, only string, parallel int) (failed int, err error) {
	all, err := present(selected(languages(), only))
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		return 0, fmt.Errorf("no client is named %q, or what it needs is not installed", only)
	}
	if err := prepareAll(ctx, all); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "flagside-clients-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	built, err := process.Built(ctx, binaries)
	if err != nil {
		return 0, err
	}
	systems, err := newSystems(built, dir, all)
	if err != nil {
		return 0, err
	}
	results, err := runAll(ctx, systems, parallel)
	if err != nil {
		return 0, err
	}
	delays, err := measure(ctx, systems[0], all)
	if err != nil {
		return 0, err
	}
	failed = printReport(results, delays)
	if failed > 0 || only != "" || len(all) < len(languages()) {
		return failed, nil // the table is of all clients, and of nothing that may be our fault
	}
	return failed, verifyPage(results)
}

// selected returns the languages, or only one, or only one of its clients.
func selected(all []language, only string) []language {
	if only == "" {
		return all
	}
	for i := range all {
		if all[i].name != only {
			all[i].clients = slices.DeleteFunc(all[i].clients, func(c client) bool { return only != c.name && only != c.name+"/"+c.mode })
			all[i].pages = all[i].pages && strings.HasPrefix(only, "web")
		}
	}
	return slices.DeleteFunc(all, func(l language) bool { return len(l.clients) == 0 && !l.pages })
}

// newSystems returns one for each language.
func newSystems(binaries process.Binaries, dir string, all []language) ([]*system, error) {
	var systems []*system
	for _, l := range all {
		s, err := newSystem(binaries, filepath.Join(dir, l.name))
		if err != nil {
			return nil, err
		}
		systems = append(systems, s)
		s.language = l
	}
	return systems, nil
}

// runAll runs the tests of languages, some at the same time, and returns the results in the order of the languages.
func runAll(ctx context.Context, systems []*system, parallel int) ([]result, error) {
	places := make(chan struct{}, parallel)
	results := make([][]result, len(systems))
	failures := make([]error, len(systems))
	var running sync.WaitGroup
	for i, s := range systems {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			begin := time.Now()
			results[i], failures[i] = s.tests(ctx)
			fmt.Printf("%s: tried in %.0f s\n", s.language.name, time.Since(begin).Seconds())
		})
	}
	running.Wait()
	return slices.Concat(results...), errors.Join(failures...)
}

// tests starts the system and runs the tests of its language.
func (s *system) tests(ctx context.Context) (results []result, err error) {
	defer s.stop()
	if err := s.start(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", s.language.name, err)
	}
	for _, c := range s.language.clients {
		results = append(results, s.column(ctx, c)...)
	}
	if s.language.pages {
		for _, p := range s.originPages() {
			results = append(results, s.origins(ctx, p)...)
		}
	}
	return results, nil
}
