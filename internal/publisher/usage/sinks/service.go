package sinks

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/reload"
	flagsync "github.com/flagside/flagside/sync"
)

// Environment is one whose usage is kept.
type Environment struct {
	Name string
	// Open opens its reports.
	Open func(context.Context) (Reports, error)
}

// Options say what a Service exports, and where to. All members but File are required.
type Options struct {
	// File is the file of sinks, as Open returns it; nil is none.
	File *reload.File[Config]
	// Replicas is how many servers of a cluster remember the places of sinks.
	Replicas int
	// Environments returns those that are followed now.
	Environments func() []Environment
	// Metrics collects the metrics.
	Metrics prometheus.Registerer
	// Logger gets what is worth telling an operator.
	Logger zerolog.Logger
}

// Service exports usage. Create it with New.
type Service struct {
	options Options
	timing  timing
	metrics *metrics

	mu      sync.Mutex // guards what follows
	targets map[string]*target
}

// target is a sink with what carries reports to it.
type target struct {
	sink        Sink
	destination destination
	patience    *patience
	carriers    map[string]*running // by environment
}

type running struct {
	*tally

	sink   Sink
	where  string
	cancel context.CancelFunc
}

// New returns a service that exports nothing before Run.
func New(o Options) (*Service, error) {
	s := &Service{options: o, timing: usualTiming(), targets: make(map[string]*target)}
	s.metrics = newMetrics(s)
	for _, c := range s.metrics.collectors() {
		if err := o.Metrics.Register(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Run exports until ctx ends, and returns when nothing is under way any more.
func (s *Service) Run(ctx context.Context, conn *flagsync.Conn) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { _ = s.options.File.Run(ctx) }) // always nil
	s.reconcile(ctx, conn, &wg)
	return lifecycle.Every(ctx, s.timing.look, func(ctx context.Context) { s.reconcile(ctx, conn, &wg) })
}

// reconcile starts and stops what the file and the environments ask for.
func (s *Service) reconcile(ctx context.Context, conn *flagsync.Conn, wg *sync.WaitGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	config := s.options.File.Current()
	var ended []*running
	for name, t := range s.targets {
		if !slices.ContainsFunc(config.Sinks, func(k Sink) bool { return reflect.DeepEqual(k, t.sink) }) {
			ended = slices.AppendSeq(ended, maps.Values(t.carriers))
			t.stop()
			delete(s.targets, name)
		}
	}
	environments := s.options.Environments()
	for _, k := range config.Sinks {
		t := s.targets[k.Name]
		if t == nil {
			d, err := newDestination(k)
			if err != nil {
				s.options.Logger.Error().Err(err).Str("sink", k.Name).Msg("usage sink not started, trying again")
				continue
			}
			t = &target{sink: k, destination: d, patience: newPatience(k.Timeout, s.timing), carriers: make(map[string]*running)}
			s.targets[k.Name] = t
		}
		for name, r := range t.carriers {
			if !slices.ContainsFunc(environments, func(e Environment) bool { return e.Name == name }) {
				ended = append(ended, r)
				r.cancel()
				delete(t.carriers, name)
			}
		}
		for _, e := range environments {
			if t.carriers[e.Name] == nil && k.isIn(e.Name) {
				s.start(ctx, conn, wg, t, e)
			}
		}
	}
	for _, r := range ended {
		if t := s.targets[r.sink.Name]; t == nil || t.carriers[r.environment] == nil {
			s.metrics.forget(r.sink.Name, r.environment)
		}
	}
}

func (t *target) stop() {
	for _, r := range t.carriers {
		r.cancel()
	}
	t.destination.close()
}

func (s *Service) start(ctx context.Context, conn *flagsync.Conn, wg *sync.WaitGroup, t *target, e Environment) {
	own, cancel := context.WithCancel(ctx)
	where := t.destination.Where()
	tally := &tally{
		sink: t.sink.Name, environment: e.Name, counters: s.metrics.begin(t.sink.Name, e.Name),
		logger: s.options.Logger.With().Str("sink", t.sink.Name).Str("environment", e.Name).Str("to", where).Logger(),
	}
	t.carriers[e.Name] = &running{tally: tally, sink: t.sink, where: where, cancel: cancel}
	c := &carrier{
		sink: t.sink, environment: e.Name, replicas: s.options.Replicas, conn: conn, openReports: e.Open, target: t.destination, patience: t.patience,
		timing: s.timing, tally: tally,
	}
	wg.Go(func() { c.run(own) })
}

// all returns what runs, by sink and environment.
func (s *Service) all() []*running {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*running
	for _, t := range s.targets {
		for _, r := range t.carriers {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *running) int {
		return strings.Compare(a.tally.sink+"/"+a.environment, b.tally.sink+"/"+b.environment)
	})
	return all
}
