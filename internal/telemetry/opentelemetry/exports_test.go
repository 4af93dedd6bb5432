package opentelemetry

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// receiver is a collector that keeps what it is sent.
type receiver struct {
	tracepb.UnimplementedTraceServiceServer

	mu      sync.Mutex
	traces  []*tracepb.ExportTraceServiceRequest
	metrics []*metricspb.ExportMetricsServiceRequest
}

// Export implements the trace service.
func (r *receiver) Export(_ context.Context, request *tracepb.ExportTraceServiceRequest) (*tracepb.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.traces = append(r.traces, request)
	return &tracepb.ExportTraceServiceResponse{}, nil
}

// metricsReceiver is the metrics service of a receiver.
type metricsReceiver struct {
	metricspb.UnimplementedMetricsServiceServer

	receiver *receiver
}

// Export implements the metrics service.
func (m metricsReceiver) Export(
	_ context.Context, request *metricspb.ExportMetricsServiceRequest,
) (*metricspb.ExportMetricsServiceResponse, error) {
	m.receiver.mu.Lock()
	defer m.receiver.mu.Unlock()
	m.receiver.metrics = append(m.receiver.metrics, request)
	return &metricspb.ExportMetricsServiceResponse{}, nil
}

// ServeHTTP takes exports over HTTP.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	var traces tracepb.ExportTraceServiceRequest
	var metrics metricspb.ExportMetricsServiceRequest
	switch {
	case err == nil && request.URL.Path == "/v1/traces" && proto.Unmarshal(body, &traces) == nil:
		_, _ = r.Export(request.Context(), &traces)
	case err == nil && request.URL.Path == "/v1/metrics" && proto.Unmarshal(body, &metrics) == nil:
		_, _ = metricsReceiver{receiver: r}.Export(request.Context(), &metrics)
	default:
		http.Error(w, "not an export", http.StatusBadRequest)
	}
}

// listen receives exports by the protocol until the test ends and returns the endpoint.
func (r *receiver) listen(t *testing.T, p protocol) (endpoint string) {
	t.Helper()
	if p == protocolHTTP {
		server := httptest.NewServer(r)
		t.Cleanup(server.Close)
		return server.URL
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	tracepb.RegisterTraceServiceServer(server, r)
	metricspb.RegisterMetricsServiceServer(server, metricsReceiver{receiver: r})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// use makes requests to a program that exports, and ends it.
func use(t *testing.T, requests ...*http.Request) {
	t.Helper()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "flagside_tests_total", Help: "Tests."})
	counter.Inc()
	registry.MustRegister(counter)
	e, err := Start(t.Context(), Options{Service: "tester", Version: "1", Lookup: os.LookupEnv, Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{thing}", func(w http.ResponseWriter, r *http.Request) {
		_, span := e.Tracer("test").Start(r.Context(), "inner")
		span.End()
		w.WriteHeader(http.StatusNoContent)
	})
	handler := e.Handler(mux)
	for _, request := range requests {
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}
	if err := e.Stop(); err != nil {
		t.Error(err)
	}
}

func TestExports(t *testing.T) {
	for _, p := range []protocol{protocolHTTP, protocolGRPC} {
		t.Run(string(p), func(t *testing.T) {
			var r receiver
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.listen(t, p))
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", string(p))
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=2")
			request := httptest.NewRequest(http.MethodGet, "/things/secret", http.NoBody)
			request.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
			use(t, request)

			r.mu.Lock()
			defer r.mu.Unlock()
			var spans []string
			for _, export := range r.traces {
				for _, resource := range export.GetResourceSpans() {
					if text := resource.GetResource().String(); !strings.Contains(text, "tester") || !strings.Contains(text, `"2"`) {
						t.Errorf("resource %s", text)
					}
					for _, scope := range resource.GetScopeSpans() {
						for _, span := range scope.GetSpans() {
							spans = append(spans, span.GetName())
							if got := span.GetTraceId()[:2]; string(got) != "\x4b\xf9" {
								t.Errorf("span %s is of the trace %x", span.GetName(), span.GetTraceId())
							}
						}
					}
				}
			}
			slices.Sort(spans)
			if diff := cmp.Diff([]string{"GET /things/{thing}", "inner"}, spans); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
			var metrics []string
			for _, export := range r.metrics {
				for _, resource := range export.GetResourceMetrics() {
					for _, scope := range resource.GetScopeMetrics() {
						for _, metric := range scope.GetMetrics() {
							metrics = append(metrics, metric.GetName())
						}
					}
				}
			}
			for _, name := range []string{"flagside_tests_total", "http.server.request.duration"} {
				if !slices.Contains(metrics, name) {
					t.Errorf("no metric %s in %v", name, metrics)
				}
			}
		})
	}
}

func TestNothingIsExportedUnlessAsked(t *testing.T) {
	var r receiver
	endpoint := r.listen(t, protocolHTTP)
	for name, variables := range map[string]map[string]string{
		"no endpoint":  {},
		"disabled":     {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
		"no exporters": {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range variables {
				t.Setenv(variable, value)
			}
			use(t, httptest.NewRequest(http.MethodGet, "/things/a", http.NoBody))
			if len(r.traces)+len(r.metrics) > 0 {
				t.Errorf("%d traces and %d metrics", len(r.traces), len(r.metrics))
			}
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	const endpoint, traces = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	for _, c := range []struct {
		variables map[string]string
		want      settings
		refused   bool
	}{
		{map[string]string{}, settings{}, false},
		{map[string]string{endpoint: "http://c:4318"}, settings{protocolHTTP, protocolHTTP}, false},
		{map[string]string{traces: "http://c:4318"}, settings{traces: protocolHTTP}, false},
		{map[string]string{endpoint: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, settings{protocolGRPC, protocolGRPC}, false},
		{
			map[string]string{endpoint: "http://c", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc", "OTEL_TRACES_EXPORTER": "otlp"},
			settings{protocolHTTP, protocolGRPC},
			false,
		},
		{map[string]string{endpoint: "http://c", "OTEL_METRICS_EXPORTER": "none"}, settings{traces: protocolHTTP}, false},
		{map[string]string{endpoint: "http://c", "OTEL_SDK_DISABLED": "TRUE"}, settings{}, false},
		{map[string]string{endpoint: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, settings{}, true},
		{map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, settings{}, true},
	} {
		got, err := readSettings(func(name string) (string, bool) {
			value, ok := c.variables[name]
			return value, ok
		})
		if (err != nil) != c.refused || err == nil && got != c.want {
			t.Errorf("%v: %+v, %v; want %+v", c.variables, got, err, c.want)
		}
	}
}
