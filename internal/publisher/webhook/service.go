package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/reload"
	flagsync "github.com/flagside/flagside/sync"
)

// ErrUnknown means that there is no webhook of a name.
var ErrUnknown = errors.New("no such webhook")

// Environment is one that may have something to tell.
type Environment struct {
	Name string
	// Source is nil of one that is archived. What it had at the end is told.
	Source Source
	// Created is when it was created. What happened in it from then on is told to webhooks that there were then.
	Created time.Time
}

// Options say what a Service tells, and to whom. All members but File are required.
type Options struct {
	// File is the file of webhooks, as Open returns it; nil is none.
	File *reload.File[Config]
	// Installation is the one whose events are told.
	Installation string
	// Replicas is how many servers of a cluster keep a copy of a queue.
	Replicas int
	// Environments returns those that there are now, but for those that are destroyed.
	Environments func() []Environment
	// NameOf returns what people call a principal.
	NameOf func(id string) (name string, known bool)
	// Metrics collects the metrics.
	Metrics prometheus.Registerer
	// Logger gets what is worth telling an operator.
	Logger zerolog.Logger
}

// Service delivers events. Create it with New.
type Service struct {
	options Options
	timing  timing
	metrics *metrics

	mu      sync.Mutex // guards what follows
	feeds   map[string]*runningFeed
	targets map[string]*target // by name of the webhook
	losses  []loss
}

type runningFeed struct {
	*feed
	cancel context.CancelFunc
	end    func() // lets it copy what there still is, and end
}

// target is a webhook with what delivers to it.
type target struct {
	webhook    Webhook
	since      time.Time // it is known
	link       string
	receiver   *receiver
	deliveries map[string]*runningDelivery // by environment
}

type runningDelivery struct {
	*delivery
	cancel context.CancelFunc
	feed   *feed
	done   chan struct{} // closed when nothing is delivered any more

	waiting backlog // as it was last asked
}

// loss is that events are lost for good.
type loss struct {
	at   time.Time
	what string
}

// lossShown is how long a loss is shown.
const lossShown = 24 * time.Hour

// New returns a service that delivers nothing before Run.
func New(o Options) (*Service, error) {
	s := &Service{options: o, timing: usualTiming(), feeds: make(map[string]*runningFeed), targets: make(map[string]*target)}
	s.metrics = newMetrics(s)
	for _, c := range []prometheus.Collector{s.metrics, s.metrics.copied, s.metrics.attempts, s.metrics.lost} {
		if err := o.Metrics.Register(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Run delivers until ctx ends, and returns when nothing is under way any more.
func (s *Service) Run(ctx context.Context, conn *flagsync.Conn) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { _ = s.options.File.Run(ctx) }) // always nil
	wg.Go(func() {
		_ = lifecycle.Every(ctx, s.timing.progress, func(ctx context.Context) { s.askAll(ctx) })
	})
	s.reconcile(ctx, conn, &wg)
	return lifecycle.Every(ctx, s.timing.look, func(ctx context.Context) { s.reconcile(ctx, conn, &wg) })
}

// reconcile starts and stops what the file and the environments ask for.
func (s *Service) reconcile(ctx context.Context, conn *flagsync.Conn, wg *sync.WaitGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	config := s.options.File.Current()
	var ended []*runningDelivery
	for name, t := range s.targets {
		i := slices.IndexFunc(config.Webhooks, func(w Webhook) bool { return w.Name == name })
		if i < 0 || !reflect.DeepEqual(config.Webhooks[i], t.webhook) || config.RequestLink != t.link {
			ended = slices.AppendSeq(ended, maps.Values(t.deliveries))
			t.stop()
			delete(s.targets, name)
		}
	}
	for _, w := range config.Webhooks {
		if s.targets[w.Name] == nil {
			s.targets[w.Name] = &target{
				webhook: w, since: time.Now(), link: config.RequestLink, receiver: newReceiver(w, s.options.Installation, nil), deliveries: make(map[string]*runningDelivery),
			}
		}
	}
	environments := s.options.Environments()
	for name, f := range s.feeds {
		i := slices.IndexFunc(environments, func(e Environment) bool { return e.Name == name && s.isWanted(name) })
		switch {
		case i >= 0 && environments[i].Source == nil:
			f.end()
		case i >= 0 && environments[i].Source == f.source && !isClosed(f.ending):
		default:
			ended = append(ended, s.stop(name, f)...)
		}
	}
	for _, e := range environments {
		if s.isWanted(e.Name) {
			s.start(ctx, conn, wg, e)
		}
	}
	s.forget(ended)
}

// forget drops what was counted of deliveries that have ended, unless others have taken their place. s.mu is held.
func (s *Service) forget(ended []*runningDelivery) {
	for _, d := range ended {
		name, environment := d.receiver.webhook.Name, d.feed.environment
		if t := s.targets[name]; t == nil || t.deliveries[environment] == nil {
			s.metrics.forget(name, environment)
		}
		if s.feeds[environment] == nil {
			s.metrics.copied.DeleteLabelValues(environment)
		}
	}
}

// isWanted reports whether a webhook wants to hear of an environment.
func (s *Service) isWanted(environment string) bool {
	for _, t := range s.targets {
		if t.webhook.isIn(environment) {
			return true
		}
	}
	return false
}

// stop ends everything of an environment, and returns the deliveries that were there.
func (s *Service) stop(environment string, f *runningFeed) (ended []*runningDelivery) {
	f.cancel()
	delete(s.feeds, environment)
	for _, t := range s.targets {
		if d := t.deliveries[environment]; d != nil {
			d.cancel()
			delete(t.deliveries, environment)
			ended = append(ended, d)
		}
	}
	return ended
}

func (t *target) stop() {
	for _, d := range t.deliveries {
		d.cancel()
	}
}

// start starts what does not run yet of an environment.
func (s *Service) start(ctx context.Context, conn *flagsync.Conn, wg *sync.WaitGroup, e Environment) {
	f := s.feeds[e.Name]
	if f == nil {
		f = &runningFeed{feed: s.newFeed(conn, e)}
		f.end = sync.OnceFunc(func() { close(f.ending) })
		own, cancel := context.WithCancel(ctx)
		f.cancel = cancel
		s.feeds[e.Name] = f
		if e.Source == nil {
			close(f.finished)
		} else {
			wg.Go(func() { f.run(own) })
		}
	}
	for _, t := range s.targets {
		if t.deliveries[e.Name] != nil || !t.webhook.isIn(e.Name) {
			continue
		}
		own, cancel := context.WithCancel(ctx)
		d := &runningDelivery{delivery: s.newDelivery(f.feed, t, e), cancel: cancel, feed: f.feed, done: make(chan struct{})}
		t.deliveries[e.Name] = d
		wg.Go(func() {
			defer close(d.done)
			d.run(own)
		})
		wg.Go(func() { d.endWhenTold(own, cancel) })
	}
}

// isNew reports whether an environment was created when the webhook was known: what happened in it before the first look is told, too.
func (t *target) isNew(e Environment) bool { return t.webhook.isIn(e.Name) && e.Created.After(t.since) }

func (s *Service) newFeed(conn *flagsync.Conn, e Environment) *feed {
	copied, beginning := s.metrics.copied.WithLabelValues(e.Name), false
	for _, t := range s.targets {
		beginning = beginning || t.isNew(e)
	}
	return &feed{
		environment: e.Name, source: e.Source, beginning: beginning, conn: conn, timing: s.timing, replicas: s.options.Replicas,
		ready: make(chan struct{}), ending: make(chan struct{}), finished: make(chan struct{}),
		logger: s.options.Logger.With().Str("environment", e.Name).Logger(),
		copied: func(n int) { copied.Add(float64(n)) },
		lost:   s.noteLoss,
	}
}

func (s *Service) newDelivery(f *feed, t *target, e Environment) *delivery {
	name, environment := t.webhook.Name, f.environment
	counters := s.metrics.begin(name, environment)
	return &delivery{
		feed: f, receiver: t.receiver, link: t.link, nameOf: s.options.NameOf, all: t.isNew(e),
		logger:   s.options.Logger.With().Str("webhook", name).Str("environment", environment).Str("host", t.webhook.Host()).Logger(),
		counters: counters,
		lost: func(n uint64) {
			counters.lost.Add(float64(n))
			s.noteLoss(fmt.Sprintf("webhook %s, environment %s: %d events expired before the receiver had them", name, environment, n))
		},
	}
}

func (s *Service) noteLoss(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losses = append(s.losses, loss{time.Now(), what})
	if n := len(s.losses); n > maxWebhooks {
		s.losses = s.losses[n-maxWebhooks:]
	}
}

// all returns the deliveries, by webhook and environment. Those of archived environments that have told everything are none any more.
func (s *Service) all() []*runningDelivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*runningDelivery
	for _, t := range s.targets {
		for _, d := range t.deliveries {
			if !isClosed(d.done) {
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, func(a, b *runningDelivery) int {
		return strings.Compare(a.receiver.webhook.Name+"/"+a.feed.environment, b.receiver.webhook.Name+"/"+b.feed.environment)
	})
	return all
}

// askAll asks how much waits everywhere, for conditions and metrics.
func (s *Service) askAll(ctx context.Context) {
	for _, d := range s.all() {
		w, err := d.ask(ctx)
		if err != nil {
			continue // what was known stays
		}
		s.mu.Lock()
		d.waiting = w
		s.mu.Unlock()
	}
}

// Test sends an event of type test to a webhook, once, and returns why the receiver did not take it.
func (s *Service) Test(ctx context.Context, name, actor string) error {
	s.mu.Lock()
	t := s.targets[name]
	s.mu.Unlock()
	if t == nil {
		return ErrUnknown
	}
	o := occurrence{id: typeTest + "-" + rand.Text(), environment: "test", event: api.Event{
		Time: time.Now().UTC(), Type: typeTest, Actor: actor, Text: "flagside webhook test " + name,
	}}
	if known, ok := s.options.NameOf(actor); ok {
		o.event.Names = api.Names{actor: known}
	}
	return t.receiver.try(ctx, o)
}
