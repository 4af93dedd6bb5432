package flagd_test

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	evaluationv2 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/flagd"
	"github.com/flagside/flagside/internal/sidecar/historytest"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// procedures are those of both ports that answer once.
func procedures() []string {
	return []string{
		"/flagd.evaluation.v1.Service/ResolveBoolean", "/flagd.evaluation.v1.Service/ResolveInt", "/flagd.evaluation.v1.Service/ResolveAll",
		"/flagd.evaluation.v2.Service/ResolveString", "/flagd.evaluation.v2.Service/ResolveFloat", "/flagd.evaluation.v2.Service/ResolveObject",
		"/flagd.sync.v1.FlagSyncService/FetchAllFlags", "/flagd.sync.v1.FlagSyncService/GetMetadata", "/grpc.health.v1.Health/Check",
	}
}

func contentTypes() []string {
	return []string{"application/json", "application/proto", "application/grpc", "application/grpc+json", "application/grpc-web+proto"}
}

// framed puts a message into the envelope of gRPC.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// FuzzProcedures sends anything to every procedure: whatever it is, it is no mistake of the sidecar.
func FuzzProcedures(f *testing.F) {
	message, err := proto.Marshal(&evaluationv2.ResolveStringRequest{FlagKey: "ruled", Context: &structpb.Struct{
		Fields: map[string]*structpb.Value{"plan": structpb.NewStringValue("gold"), "n": structpb.NewNumberValue(1e300)},
	}})
	if err != nil {
		f.Fatal(err)
	}
	plain := []byte(`{"flagKey":"ruled","context":{"plan":"gold","targetingKey":"u","list":[1,-0,null,{"a":true}]}}`)
	for i := range procedures() {
		for j := range contentTypes() {
			for _, body := range [][]byte{plain, message, framed(plain), framed(message), nil} {
				f.Add(uint8(i), uint8(j), "flagSetId=", "always_fresh", "", body)
			}
		}
	}
	f.Add(uint8(0), uint8(0), "\xff", "", "00000000-18446744073709551616", []byte(`{"context":{"$flagd":{"flagKey":1}}}`))
	handlers, logs := fuzzed(f)
	f.Fuzz(func(t *testing.T, procedure, contentType uint8, selector, freshness, revision string, body []byte) {
		path := procedures()[int(procedure)%len(procedures())]
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
		request.ProtoMajor = 2
		request.Header.Set("Content-Type", contentTypes()[int(contentType)%len(contentTypes())])
		request.Header.Set("Flagd-Selector", selector)
		request.Header.Set(resolver.HeaderFreshness, freshness)
		request.Header.Set(resolver.HeaderMinRevision, revision)
		port := 0
		if strings.Contains(path, "sync") {
			port = 1
		}
		handlers[port].ServeHTTP(httptest.NewRecorder(), request)
		if logs.Len() > 0 {
			t.Fatalf("%s: %s", path, logs)
		}
	})
}

// fuzzed returns the handlers of both ports, and what they log.
func fuzzed(f *testing.F) (handlers [2]http.Handler, logs *bytes.Buffer) {
	f.Helper()
	h := historytest.New(f)
	h.Commit(historytest.Flag("web", 1, `"metadata":{"flagSetId":"web"}`), doc("ruled", `{"state":"ENABLED","variants":{"gold":"1","x":"2"},
		"defaultVariant":"x","targeting":{"if":[{"in":[{"var":"n"},{"var":"list"}]},{"cat":[{"var":"plan"}]},{"fractional":[["gold",1],["x",1]]}]}}`))
	metrics := prometheus.NewRegistry()
	r, err := resolver.New(resolver.Options{Views: h.Store, Log: new(knowledge), Metrics: metrics, Enrichment: resolver.Enrichment{
		Static: map[string]string{"zone": "a"}, Headers: map[string]string{"Flagd-Selector": "selector"},
	}})
	if err != nil {
		f.Fatal(err)
	}
	counted, err := flagd.NewMetrics(metrics)
	if err != nil {
		f.Fatal(err)
	}
	logs = new(bytes.Buffer)
	o := flagd.Options{
		Resolver: r, Feed: changes.New(h.Store, r.Stale), Documents: flagd.NewDocuments(h.Store, nil, zerolog.Nop()),
		Ready: func() bool { return true }, Metrics: counted, Logger: zerolog.New(logs),
	}
	return [2]http.Handler{flagd.NewEvaluation(o).Handler(), flagd.NewSync(o).Handler()}, logs
}
