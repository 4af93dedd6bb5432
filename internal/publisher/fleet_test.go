package publisher_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

// reporter is a holder of the credentials of a sidecar, who reports what it likes.
type reporter struct {
	r           *running
	environment string
	publish     func(subject string, data []byte) error
	flush       func() error
}

// reporter connects one, as the server lets any process on this machine.
func (r *running) reporter(environment string) *reporter {
	r.t.Helper()
	conn := natstest.ConnectLocally(r.t, r.NATSURL(), environment)
	return &reporter{publish: conn.Publish, flush: conn.Flush, r: r, environment: environment}
}

func (p *reporter) send(report status.Report) {
	p.r.t.Helper()
	data, err := status.Encode(report)
	if err != nil {
		p.r.t.Fatal(err)
	}
	p.sendRaw(p.environment, report.Boot, data)
}

func (p *reporter) sendRaw(environment, boot string, data []byte) {
	p.r.t.Helper()
	if err := p.publish("status."+environment+"."+boot, data); err != nil {
		p.r.t.Fatal(err)
	}
}

// fleet returns the fleet of an environment.
func (r *running) fleet(environment string, q api.FleetQuery) api.Fleet {
	r.t.Helper()
	if q.Limit == 0 {
		q.Limit = 1000
	}
	found, err := r.client.Fleet(r.t.Context(), environment, q)
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

// head returns what a sidecar reports that serves the newest revision.
func (r *running) head(environment string) status.Report {
	r.t.Helper()
	service, err := r.Control(r.t.Context(), environment)
	if err != nil {
		r.t.Fatal(err)
	}
	state, err := service.Current(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	page := r.ask(http.MethodGet, "/status", "")
	digest := page.body[strings.Index(page.body, `"stateDigest": "`)+len(`"stateDigest": "`):]
	report := status.Report{Kind: status.KindState, Position: state.Position()}
	if err := report.State.UnmarshalText([]byte(digest[:64])); err != nil {
		r.t.Fatal(err)
	}
	return report
}

// What is no report, comes under another name, or is about another environment changes nothing, and is counted where it arrives.
func TestReportsThatAreNone(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), GatherReports: time.Millisecond})
	r.create("prod")
	r.create("staging")
	outsider := r.reporter("prod")
	report := r.head("prod")
	report.Boot, report.N = status.NewBoot(), 1
	good, err := status.Encode(report)
	if err != nil {
		t.Fatal(err)
	}
	bad := [][]byte{nil, []byte("{}"), []byte("\x00\xff{junk"), []byte(strings.Repeat("[", 5000)), append(good, '{'), []byte(strings.Repeat("x", 100_000))}
	for _, data := range bad {
		outsider.sendRaw("prod", report.Boot, data)
	}
	outsider.sendRaw("prod", status.NewBoot(), good)
	outsider.sendRaw("staging", report.Boot, good) // which the server refuses
	outsider.sendRaw("prod", report.Boot+".x", good)
	report.Identity = status.Identity{Pod: "shop\x1b[31m-7\n", Namespace: "<b>"}
	report.Boot = status.NewBoot()
	outsider.send(report)
	r.await("the report", func() bool { return len(r.fleet("prod", api.FleetQuery{}).Items) == 1 })
	if n := len(r.fleet("staging", api.FleetQuery{}).Items); n != 0 {
		t.Errorf("staging has %d sidecars", n)
	}
	page := r.ask(http.MethodGet, "/metrics", "").body
	for _, line := range []string{
		fmt.Sprintf(`flagside_fleet_reports_total{environment="prod",kind="refused"} %d`, len(bad)+1),
		`flagside_fleet_reports_total{environment="staging",kind="refused"} 0`,
		`flagside_fleet_reports_total{environment="prod",kind="state"} 1`,
		`flagside_fleet_sidecars{environment="prod",standing="current"} 1`,
	} {
		if !strings.Contains(page, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// A holder of the credentials invents more sidecars than the table holds. The publisher stays, knows so many, and calls nothing converged.
func TestAFloodOfSidecars(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), GatherReports: time.Millisecond})
	r.create("prod")
	outsider := r.reporter("prod")
	report := r.head("prod")
	for i := range fleet.MaxSidecars + 500 {
		report.Boot, report.N = fmt.Sprintf("%026d", 0), 1
		report.Boot = strings.NewReplacer("0", "A", "1", "B", "8", "C", "9", "D").Replace(fmt.Sprintf("%026d", i))
		outsider.send(report)
		if i%1000 == 0 { // as a network would
			if err := outsider.flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.await("the flood", func() bool {
		summary := r.fleet("prod", api.FleetQuery{Limit: 1}).Summary
		return summary.Sidecars > fleet.MaxSidecars/2 && !summary.Complete
	})
	found, err := r.client.Convergence(t.Context(), "prod", "last", api.ConvergenceQuery{Percent: 0})
	if err != nil || found.Converged || found.Of > fleet.MaxSidecars {
		t.Errorf("%+v, %v", found, err)
	}
}

// A change is measured from its commit to acknowledgements, and that stands in histories, metrics and traces.
func TestPropagationIsToldEverywhere(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("test")
	registry := prometheus.NewRegistry()
	r := start(t, publisher.Options{DataDir: t.TempDir(), GatherReports: time.Millisecond, Tracer: tracer, Metrics: registry})
	r.create("prod")
	sidecar := r.reporter("prod")
	report := r.head("prod")
	report.Boot, report.N = status.NewBoot(), 1
	sidecar.send(report)
	r.await("the sidecar", func() bool { return len(r.fleet("prod", api.FleetQuery{}).Items) == 1 })

	r.put("prod", "greeting", flagBody("on", ""), absent())
	if found, err := r.client.Convergence(t.Context(), "prod", "last", api.ConvergenceQuery{Percent: 100}); err != nil || found.Converged || found.Stragglers[0].Why != "behind" {
		t.Fatalf("%+v, %v", found, err)
	}
	report = r.head("prod")
	sidecar.send(status.Report{Kind: status.KindAck, Boot: r.fleet("prod", api.FleetQuery{}).Items[0].Boot, N: 2, Position: report.Position, State: report.State})
	revision := report.Position.Token().String()
	found, err := r.client.Convergence(t.Context(), "prod", revision, api.ConvergenceQuery{Percent: 100, WaitMs: 30_000})
	if err != nil || !found.Converged || found.ServedIn == nil || found.ServedIn.AllMs == nil || found.ServedIn.Acks != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	activity, err := r.client.Activity(t.Context(), "prod", api.ActivityQuery{Limit: 1})
	if err != nil || activity.Items[0].ServedIn == nil || activity.Items[0].ServedIn.Sidecars != 1 {
		t.Errorf("activity: %+v, %v", activity, err)
	}
	history, err := r.client.History(t.Context(), "prod", flagID("greeting"), api.HistoryQuery{Limit: 1})
	if err != nil || history.Items[0].ServedIn == nil || *history.Items[0].ServedIn.AllMs != *found.ServedIn.AllMs {
		t.Errorf("history: %+v, %v", history, err)
	}
	if page := r.ask(http.MethodGet, "/metrics", "").body; !strings.Contains(page, `flagside_fleet_propagation_seconds_count{environment="prod"} 1`) {
		t.Error("the acknowledgement is not in the metrics")
	}
	traced := 0
	for _, span := range spans.GetSpans() {
		if span.Name == "propagation" {
			traced++
		}
	}
	if traced != 1 {
		t.Errorf("%d spans of propagation", traced)
	}
}

// The list is filtered and read in parts, and revisions that cannot be asked for are refused.
func TestTheFleetOverTheAPI(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), GatherReports: time.Millisecond})
	r.create("prod")
	none, err := r.client.Convergence(t.Context(), "prod", "last", api.ConvergenceQuery{Percent: 100, WaitMs: 30_000})
	if err != nil || none.Converged || none.Of != 0 { // it does not wait for a fleet that there is not
		t.Errorf("%+v, %v", none, err)
	}
	reports := r.reporter("prod")
	for i := range 25 {
		report := r.head("prod")
		report.Boot, report.N = status.NewBoot(), 1
		report.Identity = status.Identity{Namespace: fmt.Sprint("n", i%2), Pod: fmt.Sprint("pod-", i%5), Application: "shop", Program: fmt.Sprint("v", i%3)}
		if i == 7 {
			report.Position = changelog.Position{}
			report.Conditions = []string{"not-ready"}
		}
		reports.send(report)
	}
	r.await("the reports", func() bool { return len(r.fleet("prod", api.FleetQuery{}).Items) == 25 })
	for name, test := range map[string]struct {
		q    api.FleetQuery
		want int
	}{
		"all": {api.FleetQuery{}, 25}, "namespace": {api.FleetQuery{Namespace: "n1"}, 12}, "behind": {api.FleetQuery{Behind: true}, 1},
		"version": {api.FleetQuery{Version: "v0"}, 9}, "condition": {api.FleetQuery{Condition: "not-ready"}, 1}, "text": {api.FleetQuery{Text: "POD-3"}, 5},
		"application": {api.FleetQuery{Application: "shop", Zone: "x"}, 0}, "standing": {api.FleetQuery{Standing: "current"}, 24},
	} {
		test.q.Limit = 3
		whole, err := r.client.AllSidecars(t.Context(), "prod", test.q)
		if err != nil || len(whole.Items) != test.want {
			t.Errorf("%s: %d, %v; want %d", name, len(whole.Items), err, test.want)
		}
		seen := make(map[string]bool)
		for next := "first"; next != ""; {
			if next == "first" {
				next = ""
			}
			test.q.After = next
			part := r.fleet("prod", test.q)
			for _, one := range part.Items {
				if seen[one.Boot] {
					t.Fatalf("%s: %s comes twice", name, one.Boot)
				}
				seen[one.Boot] = true
			}
			next = part.Next
		}
		if len(seen) != test.want {
			t.Errorf("%s in parts: %d, want %d", name, len(seen), test.want)
		}
	}
	head := r.head("prod").Position
	for revision, want := range map[string]int{
		"00000000-1": http.StatusPreconditionFailed, "x": http.StatusUnprocessableEntity, fmt.Sprintf("%s-%d", head.Epoch.Short(), head.Revision+1): http.StatusNotFound,
		head.Token().String(): http.StatusOK, "last": http.StatusOK,
	} {
		if got := r.ask(http.MethodGet, "/api/v1/environments/prod/fleet/revisions/"+revision, "").status; got != want {
			t.Errorf("%s answers %d, want %d", revision, got, want)
		}
	}
}
