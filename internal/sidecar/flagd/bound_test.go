package flagd_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	evaluationv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v1"
	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/sidecar/flagd"
	"github.com/flagside/flagside/internal/sidecar/historytest"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// TestResolveAllThatTakesTooLongExceedsItsDeadline has a clock that a quarter of a second passes on with every look.
func TestResolveAllThatTakesTooLongExceedsItsDeadline(t *testing.T) {
	h := historytest.New(t)
	var documents []document.Document
	for i := range 900 {
		documents = append(documents, doc(fmt.Sprintf("f%d", i), `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`))
	}
	h.Commit(documents...)
	h.Commit(doc("a", `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`))
	var looks atomic.Int64
	var step atomic.Int64 // of the clock
	r, err := resolver.New(resolver.Options{Views: h.Store, Metrics: prometheus.NewRegistry(), Timeout: 2 * time.Second, Now: func() time.Time {
		return time.Unix(1_700_000_000, 0).Add(time.Duration(looks.Add(1) * step.Load()))
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, h, func(o *flagd.Options) { o.Resolver = r })
	for _, d := range dialects() {
		step.Store(int64(3 * time.Second))
		_, err := s.v1(d).ResolveAll(t.Context(), connect.NewRequest(&evaluationv1.ResolveAllRequest{}))
		wantCode(t, d.name, err, connect.CodeDeadlineExceeded)
		step.Store(0)
		if _, err := s.v1(d).ResolveAll(t.Context(), connect.NewRequest(&evaluationv1.ResolveAllRequest{})); err != nil {
			t.Errorf("%s: the next request: %v", d.name, err)
		}
	}
}
