package publisher

import (
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/publisher/admin"
	"github.com/flagside/flagside/internal/publisher/session"
	"github.com/flagside/flagside/internal/telemetry"
	"github.com/flagside/flagside/sync/changelog"
)

// handler returns everything that is served on the admin address.
func (p *Publisher) handler() (http.Handler, error) {
	registry, err := p.registry()
	if err != nil {
		return nil, err
	}
	for _, c := range append([]prometheus.Collector{p.refused, p.busy, health.NewCollector(p.options.Health), sourceMetrics{p}, newUsageMetrics(p.environments)}, p.diskMetrics()...) {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	p.environments.metrics, err = newMetrics(registry, p.environments)
	if err != nil {
		return nil, err
	}
	if p.sinks, err = p.newSinks(registry); err != nil {
		return nil, err
	}
	if p.webhooks, err = p.newWebhooks(registry); err != nil {
		return nil, err
	}
	if p.sessions, err = p.newSessions(registry); err != nil {
		return nil, err
	}
	api := admin.Options{
		Environments: p.environments, Authenticator: p.authenticator(), Authorize: p.gate.authorizer.Authorize, Tokens: p.gate.tokens, People: p.gate.people,
		Acts: p.gate.acts, Webhooks: p.webhooks, BrokeGlass: p.environments.metrics.brokeGlass, Sources: p.Sources,
		AnonymousReads: p.options.AnonymousReads, Observe: p.environments.metrics.observe, Logger: p.logger, Repeats: p.repeats,
	}
	if p.sessions != nil {
		api.Sessions = p.sessions
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", p.readyz)
	bounds := admin.NewBounds(p.options.InFlight, p.busy.Inc)
	inside := bounds.Handler
	if !p.options.local() {
		inside = func(next http.Handler) http.Handler { return bounds.Handler(admin.ForReaders(api, next)) }
	}
	mux.Handle("GET /status", inside(http.HandlerFunc(p.status)))
	mux.Handle("GET /metrics", inside(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
	if p.sessions != nil {
		console, err := p.console(api)
		if err != nil {
			return nil, err
		}
		mux.Handle(session.Home, bounds.Handler(console)) // without traces, which keep queries: they hold codes
	}
	mux.Handle("/", p.options.Observe(bounds.Handler(admin.Handler(api))))
	return admin.CheckOrigin(mux, origin.For(p.listener.Addr(), p.options.Hosts, nil)), nil
}

// registry returns what collects the metrics.
func (p *Publisher) registry() (*prometheus.Registry, error) {
	if p.options.Metrics != nil {
		return p.options.Metrics, nil
	}
	return telemetry.NewRegistry("publisher")
}

// healthz answers as long as the process can.
func healthz(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }

// readyz answers 503 until all environments can be read. It names a full disk, which keeps none from being read.
func (p *Publisher) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := p.unready(); err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	if p.server != nil && p.server.StorageError() != nil {
		_, _ = io.WriteString(w, "ready, but changes are refused: "+p.server.StorageError().Error()+"\n")
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}

// statusAnswer is the answer of /status.
type statusAnswer struct {
	Conditions   []conditionStatus   `json:"conditions"`
	Environments []environmentStatus `json:"environments"`
	PolicyDigest changelog.Digest    `json:"policyDigest"` // SHA-256 of the policies in force
}

type conditionStatus struct {
	Code     health.Code     `json:"code"`
	Severity health.Severity `json:"severity"`
	Sentence string          `json:"sentence"`
	Detail   string          `json:"detail,omitempty"`
	Since    time.Time       `json:"since"`
}

type environmentStatus struct {
	Environment string `json:"environment"`
	Revision    string `json:"revision,omitempty"` // applied here
	Head        uint64 `json:"head"`               // highest revision known to exist
	StateDigest string `json:"stateDigest,omitempty"`
	Connected   bool   `json:"connected"`
	AgeMs       *int64 `json:"ageMs,omitempty"`
	Refused     string `json:"writesRefused,omitempty"`
}

// status answers with all that is wrong, and where each environment stands.
func (p *Publisher) status(w http.ResponseWriter, _ *http.Request) {
	answer := statusAnswer{PolicyDigest: p.gate.authorizer.Digest()}
	for _, c := range p.options.Health.Active() {
		answer.Conditions = append(answer.Conditions, conditionStatus{c.Code, c.Severity, c.Sentence, c.Detail, c.Since})
	}
	for _, e := range p.environments.all() {
		answer.Environments = append(answer.Environments, e.status())
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.MarshalWrite(w, answer, jsontext.Multiline(true)) // fails only when the client is gone
}

func (e *environment) status() environmentStatus {
	follower := e.follower.Status()
	s := environmentStatus{Environment: e.name, Head: follower.Head, Connected: follower.Connected}
	if view := e.store.View(); view != nil {
		s.Revision = view.Position().Token().String()
		s.StateDigest = view.StateDigest().String()
	}
	if follower.AgeKnown {
		s.AgeMs = new(follower.Age.Milliseconds())
	}
	if err := e.unwritable(); err != nil {
		s.Refused = err.Error()
	}
	return s
}
