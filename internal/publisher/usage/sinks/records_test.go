package sinks

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/egress"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/otlp"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

// receiver takes log records as a collector does, and has moods.
type receiver struct {
	t       *testing.T
	address *url.URL

	mu      sync.Mutex
	moods   []http.HandlerFunc // for the next requests, one each
	records []*logs.LogRecord
	largest int
	refused int
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	var err error
	if r.address, err = url.Parse(server.URL + "/v1/logs?key=topsecret"); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if request.Header.Get("Authorization") != "Bearer topsecret" || request.Header.Get("Content-Type") != "application/x-protobuf" || request.URL.Path != "/v1/logs" {
		r.t.Errorf("%s with %v", request.URL, request.Header)
	}
	if len(r.moods) > 0 {
		mood := r.moods[0]
		r.moods = r.moods[1:]
		r.refused++
		mood(w, request)
		return
	}
	r.take(request)
}

func (r *receiver) take(request *http.Request) {
	unpacked, err := gzip.NewReader(request.Body)
	if err != nil {
		r.t.Error(err)
		return
	}
	body, err := io.ReadAll(unpacked)
	if err != nil {
		r.t.Error(err)
		return
	}
	var sent collector.ExportLogsServiceRequest
	if err := proto.Unmarshal(body, &sent); err != nil {
		r.t.Error(err)
		return
	}
	r.largest = max(r.largest, len(body))
	for _, from := range sent.GetResourceLogs() {
		for _, scope := range from.GetScopeLogs() {
			r.records = append(r.records, scope.GetLogRecords()...)
		}
	}
}

func (r *receiver) sink() Sink {
	return Sink{
		Name: "logs", Kind: KindOTLP, Series: rows.All(), Every: 200 * time.Millisecond, URL: r.address, Header: http.Header{"Authorization": {"Bearer topsecret"}},
		AllowPrivate: egress.PrivateRanges(), Timeout: 5 * time.Second,
	}
}

// told returns how often each report was told of as exposures.
func (r *receiver) told() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]int)
	for _, one := range r.records {
		if one.GetEventName() == otlp.ExposureEvent {
			all[attributes(one)["flagside.report"]]++
		}
	}
	return all
}

func attributes(r *logs.LogRecord) map[string]string {
	all := make(map[string]string)
	for _, a := range r.GetAttributes() {
		all[a.GetKey()] = text(a.GetValue())
	}
	return all
}

func text(v *common.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_IntValue:
		return fmt.Sprint(v.IntValue)
	case *common.AnyValue_BoolValue:
		return fmt.Sprint(v.BoolValue)
	case *common.AnyValue_DoubleValue:
		return fmt.Sprint(v.DoubleValue)
	case *common.AnyValue_ArrayValue:
		var all []string
		for _, one := range v.ArrayValue.GetValues() {
			all = append(all, text(one))
		}
		return strings.Join(all, " ")
	default:
		return ""
	}
}

// answers returns a mood.
func answers(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}
}

// A receiver that fails gets everything later, each record once if it tells the truth about what it took. What it can never take is left out and counted.
func TestReceiverOfRecords(t *testing.T) {
	t.Parallel()
	s, r := natstest.Start(t), newReceiver(t)
	makeStreams(t, s.URL())
	r.moods = []http.HandlerFunc{
		answers(http.StatusInternalServerError), answers(http.StatusTooManyRequests, "Retry-After", "1"), answers(http.StatusServiceUnavailable),
		answers(http.StatusUnauthorized), answers(http.StatusNotFound), answers(http.StatusMovedPermanently, "Location", r.address.String()),
		func(w http.ResponseWriter, _ *http.Request) { // cuts the connection
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
	}
	e := export(t, s.URL(), r.sink())
	conn, boot := sidecarConn(t, s.URL()), status.NewBoot()
	want := make(map[string]int)
	for n := range uint64(20) {
		send(t, conn, report(boot, n+1))
		want[fmt.Sprint(boot, "/", n+1)] = 1
	}
	e.taken(t, 20)
	if diff := cmp.Diff(want, r.told()); diff != "" {
		t.Errorf("exposures (-want +got):\n%s", diff)
	}
	value := func(c *prometheus.CounterVec) float64 {
		return testutil.ToFloat64(c.WithLabelValues("logs", natstest.Environment))
	}
	if got := value(e.metrics.failures); got != 7 {
		t.Errorf("%v failures, want 7\n%s", got, e.log)
	}
	if got := value(e.metrics.rejected); got != 0 {
		t.Errorf("%v rows rejected", got)
	}

	r.mu.Lock()
	r.moods = []http.HandlerFunc{answers(http.StatusBadRequest)}
	r.mu.Unlock()
	send(t, conn, report(boot, 21))
	e.taken(t, 21)
	if got := value(e.metrics.rejected); got != 5 {
		t.Errorf("%v rows rejected by 400, want the 5 of the report", got)
	}
	r.mu.Lock()
	r.moods = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
		body, _ := proto.Marshal(&collector.ExportLogsServiceResponse{PartialSuccess: &collector.ExportLogsPartialSuccess{RejectedLogRecords: 2, ErrorMessage: "too old"}})
		_, _ = w.Write(body)
	}}
	r.mu.Unlock()
	send(t, conn, report(boot, 22))
	e.taken(t, 22)
	if got := value(e.metrics.rejected); got != 7 || !strings.Contains(e.log.String(), "too old") {
		t.Errorf("%v rows rejected after a partial success of 2\n%s", got, e.log)
	}
	for _, shown := range []string{e.log.String(), fmt.Sprint(e.Late(time.Now().Add(time.Hour)))} {
		if strings.Contains(shown, "topsecret") {
			t.Errorf("it shows the address or a header: %s", shown)
		}
	}
}

// A receiver that is slow is given up after the time-out, and the condition says so while reports wait.
func TestSlowReceiverOfRecords(t *testing.T) {
	t.Parallel()
	s, r := natstest.Start(t), newReceiver(t)
	makeStreams(t, s.URL())
	k := r.sink()
	k.Timeout = 100 * time.Millisecond
	slow := func(_ http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body) // so that the end of the connection is seen
		<-request.Context().Done()
	}
	r.moods = slices.Repeat([]http.HandlerFunc{slow}, 1000)
	e := export(t, s.URL(), k)
	boot := status.NewBoot()
	send(t, sidecarConn(t, s.URL()), report(boot, 1))
	waiting.Until(t, "it is told that the receiver is slow", func() bool {
		lines := e.Late(time.Now())
		return len(lines) == 1 && strings.Contains(lines[0], "no answer within 100ms")
	}, e.log)
	e.stop()
	r.mu.Lock()
	r.moods = nil
	r.mu.Unlock()
	export(t, s.URL(), r.sink()).taken(t, 1)
	if r.told()[boot+"/1"] == 0 {
		t.Error("it did not arrive")
	}
}

// The names and attributes of records are those of the semantic conventions of OpenTelemetry, as far as these have one.
func TestNamesOfRecords(t *testing.T) {
	t.Parallel()
	r := report(status.NewBoot(), 3)
	tables := rows.New()
	tables.Add(&r, r.To, rows.All())
	got := make(map[string]map[string]string)
	for _, one := range otlp.Records("prod", tables) {
		if a := attributes(one); a["feature_flag.key"] != "gone" && a["error.type"] != "parse_error" {
			got[one.GetEventName()] = a
			if one.GetTimeUnixNano() == 0 || one.GetObservedTimeUnixNano() == 0 || one.GetSeverityNumber() != 9 {
				t.Errorf("%v", one)
			}
		}
	}
	common := map[string]string{
		"feature_flag.set.id": "prod", "feature_flag.provider.name": "flagside", "flagside.application.name": "shop", "flagside.application.version": "1.2.3",
		"k8s.namespace.name": "web", "k8s.pod.name": "shop-1", "flagside.report": r.Boot + "/3",
	}
	with := func(more ...string) map[string]string {
		all := make(map[string]string)
		maps.Copy(all, common)
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	flag := []string{"feature_flag.key", "f", "feature_flag.result.variant", "on", "feature_flag.version", "7", "flagside.epoch", "epoch"}
	want := map[string]map[string]string{
		"feature_flag.evaluation": with(append(flag, "feature_flag.context.id", strings.Repeat("ab", 32), "flagside.rule", "1")...),
		"flagside.evaluations": with(append(flag, "feature_flag.result.reason", "static", "flagside.rule", "0", "flagside.bulk", "false",
			"flagside.evaluations.count", "3", "flagside.evaluations.milliseconds", "60000")...),
		"flagside.outcome": with("feature_flag.context.id", strings.Repeat("ab", 32), "flagside.outcome.name", "bought", "flagside.outcome.value", "3",
			"flagside.outcome.error", "false", "flagside.outcome.flags", "f g"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Requests are bounded, however many rows a parcel has.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	at := time.Now()
	r := usage.Report{Boot: status.NewBoot(), N: 1, From: at, To: at}
	for range 1200 {
		r.Outcomes = append(r.Outcomes, usage.Outcome{At: at, Event: "e", Flags: slices.Repeat([]string{strings.Repeat("k", 200)}, 50)})
	}
	tables := rows.New()
	tables.Add(&r, at, rows.All())
	sum := 0
	for _, request := range requests(otlp.Records("prod", tables)) {
		size := 0
		for _, one := range request {
			size += proto.Size(one)
		}
		if len(request) > otlp.MaxRecords || size > maxRequest {
			t.Errorf("a request of %d records and %d bytes", len(request), size)
		}
		sum += len(request)
	}
	if sum != 1200 {
		t.Errorf("%d records in all", sum)
	}
	if requests(nil) != nil {
		t.Error("a request without records")
	}
}
