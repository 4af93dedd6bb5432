// Package sidecar is the flagside sidecar as a value: it follows the change log of one environment and answers feature-flag
// evaluations beside the application, whatever becomes of the log.
//
// # Concurrency properties
//
// A Sidecar is safe for concurrent use, but Run may be called only once.
package sidecar

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/gate"
	"github.com/flagside/flagside/internal/sidecar/management"
	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/sidecar/preview/answering"
	"github.com/flagside/flagside/internal/sidecar/reporting"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
	"github.com/flagside/flagside/internal/sidecar/usage/sending"
	"github.com/flagside/flagside/internal/telemetry"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/status"
)

// drainTime is how long requests that are being answered may take when the sidecar stops. Evaluations take microseconds; what takes
// longer is a client that is slow to send or to read.
const drainTime = 5 * time.Second

// Sidecar is one sidecar. Create it with New.
type Sidecar struct {
	options            Options
	logger             zerolog.Logger
	boot               string // random id of the process, in all its reports
	ofrepListener      net.Listener
	managementListener net.Listener
	gateListeners      gate.Listeners // where proxies are answered
	release            func() error

	keys        *changelog.Keyring
	store       *cache.Store
	propagation *propagation
	resolver    *resolver.Resolver
	feed        *changes.Feed
	ofrep       *ofrep.Server
	management  *management.Server
	rpc         rpc
	gate        *gate.Server // nil if proxies are not answered
	health      *health.Tracker
	reporter    *reporting.Reporter // nil if nothing is reported
	usage       *sending.Sender     // nil if nothing is reported
	events      *events.Recorder    // nil if nothing is reported
	preview     *answering.Answerer // nil if nothing is remembered

	readyWhen readyWhen
	started   atomic.Bool   // the time to catch up with the log before the first answer is over
	caughtUp  chan struct{} // closed then
	compiled  chan struct{} // closed once the flags that there were then are compiled
	draining  atomic.Bool
	bootstrap atomic.Pointer[error] // why the bootstrap file was refused; nil if it was not
	link      atomic.Pointer[link]  // nil until the log is followed
	erring    erringFlags           // guarded by refresh
	refresh   sync.Mutex            // held while conditions are compared with facts
	since     since                 // guarded by refresh
}

// link is the sidecar's end of the change log.
type link struct {
	conn     *flagsync.Conn
	follower *follow.Follower
	since    time.Time
}

// New validates the options, opens the listeners, so that their addresses are known, and locks the data directory. It starts nothing:
// connections wait in the listeners' queues until Run. Close undoes it.
func New(o Options) (*Sidecar, error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := o.verifyFiles(); err != nil {
		return nil, err
	}
	demand, err := parseReadyWhen(o.ReadyWhen)
	if err != nil {
		return nil, err
	}
	keys, err := o.keyring()
	if err != nil {
		return nil, err
	}
	store, err := cache.New(o.storage(keys))
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	s := &Sidecar{options: o, logger: o.Logger, keys: keys, store: store, health: health.NewTracker(time.Now), readyWhen: demand, since: make(since), caughtUp: make(chan struct{}), compiled: make(chan struct{}), boot: status.NewBoot()}
	if err := s.assemble(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if err := s.listen(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	s.release = sync.OnceValue(s.releaseAll)
	return s, nil
}

// assemble makes the servers.
func (s *Sidecar) assemble() error {
	registry, err := s.registry()
	if err != nil {
		return err
	}
	s.propagation = newPropagation(s.store)
	if err := registry.Register(s.propagation.seconds); err != nil {
		return fmt.Errorf("propagation metrics: %w", err)
	}
	var counts *counting.Counts
	if !s.options.NoUsage {
		counts = counting.New(s.options.Identity.Application)
		if s.events, err = s.newEvents(counts, registry); err != nil {
			return err
		}
		if s.usage, err = s.newSender(counts, registry); err != nil {
			return err
		}
	}
	reservoir, err := s.newPreview(counts, registry)
	if err != nil {
		return err
	}
	s.resolver, err = resolver.New(resolver.Options{
		Views: s.store, Past: s.store, Baggage: s.options.RevisionFromBaggage, Log: followed{s}, EstimatedAge: s.store.EstimatedAge,
		Deadline: s.options.FreshnessDeadline, AnswersMemory: s.options.AnswersMemory, Timeout: s.options.RequestTimeout, Usage: counts, Events: s.events,
		Reservoir:  reservoir,
		Enrichment: s.options.Context, Metrics: registry, MetricsPerFlag: s.options.MetricsPerFlag, Logger: s.logger,
	})
	if err != nil {
		return err
	}
	s.feed = changes.New(s.store, s.resolver.Stale)
	if !s.options.NoReports {
		s.reporter = s.newReporter()
	}
	s.ofrep, err = ofrep.New(ofrep.Options{
		Resolver: s.resolver, Feed: s.feed, Grace: drainTime, Origins: s.options.Origins, Hosts: s.options.Hosts, Budget: s.options.InFlight,
		ContextHeaders: slices.Collect(maps.Keys(s.options.Context.Headers)), TokenFile: s.options.OFREPAuthFile, Metrics: registry, Logger: s.logger,
	})
	if err != nil {
		return err
	}
	if err := s.assembleRPC(registry); err != nil {
		return err
	}
	if err := s.assembleGate(registry); err != nil {
		return err
	}
	for _, c := range []prometheus.Collector{newCollector(s), health.NewCollector(s.health)} {
		if err := registry.Register(c); err != nil {
			return fmt.Errorf("state metrics: %w", err)
		}
	}
	s.management = management.New(management.Options{
		State: s, Explain: s.explain, Metrics: registry, Profiling: s.options.Profiling, Hosts: s.options.Hosts, Logger: s.logger,
	})
	return nil
}

// registry returns what collects the metrics.
func (s *Sidecar) registry() (*prometheus.Registry, error) {
	if s.options.Metrics != nil {
		return s.options.Metrics, nil
	}
	return telemetry.NewRegistry("sidecar")
}

func (s *Sidecar) listen() (err error) {
	s.ofrepListener, err = listen.Open(context.Background(), listen.Options{
		Addr: s.options.OFREPAddr, Option: "--ofrep-addr", Mode: s.options.SocketMode, TLS: s.options.TLS, HTTP1Only: true, Logger: s.logger,
	})
	if err != nil {
		return fmt.Errorf("OFREP: %w", err)
	}
	s.managementListener, err = listen.Open(context.Background(), listen.Options{
		Addr: s.options.ManagementAddr, Option: "--management-addr", MaxConnections: management.DefaultMaxConnections, Logger: s.logger,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("management: %w", err), s.ofrepListener.Close())
	}
	if err := s.listenRPC(); err != nil {
		return errors.Join(err, s.ofrepListener.Close(), s.managementListener.Close())
	}
	if err := s.listenGate(); err != nil {
		s.rpc.close()
		return errors.Join(err, s.ofrepListener.Close(), s.managementListener.Close())
	}
	return nil
}

// Close undoes New for a sidecar that was never run. After Run it does nothing.
func (s *Sidecar) Close() error { return s.release() }

// releaseAll closes what New opened. The listeners may have been closed by their servers.
func (s *Sidecar) releaseAll() error {
	s.ofrepListener.Close()
	s.managementListener.Close()
	s.rpc.close()
	s.closeGate()
	return s.store.Close()
}

// OFREPAddr returns the address that OFREP requests are answered on.
func (s *Sidecar) OFREPAddr() net.Addr { return s.ofrepListener.Addr() }

// ManagementAddr returns the address of the management server.
func (s *Sidecar) ManagementAddr() net.Addr { return s.managementListener.Addr() }

// Ready reports whether the sidecar answers evaluations from a complete set of flags and is not stopping.
func (s *Sidecar) Ready() bool { return len(s.NotReady()) == 0 }

// NotReady returns the reasons why evaluations should not be sent to the sidecar now, nil if they may.
func (s *Sidecar) NotReady() []string {
	var reasons []string
	if s.draining.Load() {
		reasons = append(reasons, "the sidecar is stopping")
	}
	if !s.started.Load() {
		reasons = append(reasons, "the sidecar is catching up with the log")
	}
	if err := s.knowledge(); err != nil {
		return append(reasons, err.Error())
	}
	if unmet := s.readyWhen.unmet(s.facts()); unmet != "" {
		reasons = append(reasons, unmet)
	}
	return reasons
}

// knowledge returns why there is nothing to answer from, nil if there is.
func (s *Sidecar) knowledge() error {
	err := s.resolver.Ready()
	if err == nil {
		return nil
	}
	if refused := s.bootstrap.Load(); refused != nil {
		err = fmt.Errorf("%w, and the bootstrap file cannot be used: %w", err, *refused)
	}
	if l := s.link.Load(); l != nil {
		if why := unsigned(l.follower.Status().Unsigned, s.keys.Installation()); why != "" {
			err = fmt.Errorf("%w: %s", err, why)
		}
	}
	return err
}
