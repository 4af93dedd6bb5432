package publisher_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

// A change is a trace: what it waited for, what was decided, and what was written. Nothing of the documents is in it.
func TestChangesAreTraced(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	r := start(t, publisher.Options{DataDir: t.TempDir(), Tracer: provider.Tracer("test")})
	if _, err := r.Create(t.Context(), "prod", "tester", ""); err != nil {
		t.Fatal(err)
	}
	service, err := r.Control(t.Context(), "prod")
	if err != nil {
		t.Fatal(err)
	}
	spans.Reset()
	ctx, root := provider.Tracer("test").Start(t.Context(), "request")
	put := func(key, doc string) error {
		_, err := service.Do(ctx, decide.Origin{Principal: access.Principal{ID: "tester"}}, decide.Put{
			ID: document.ID{Kind: document.KindFlag, Key: key}, Body: []byte(doc), If: decide.Precondition{Absent: true},
		})
		return err
	}
	if err := put("greeting", `{"state":"ENABLED","variants":{"secret":1},"defaultVariant":"secret"}`); err != nil {
		t.Fatal(err)
	}
	if err := put("broken", `{"state":"ENABLED","variants":{"secret":1},"defaultVariant":"missing secret"}`); err == nil {
		t.Fatal("a broken flag is accepted")
	}
	root.End()

	var names []string
	found := make(map[string]string)
	for _, span := range spans.GetSpans() {
		if span.Parent.TraceID() != root.SpanContext().TraceID() {
			continue // of the publisher's own work, or the root
		}
		names = append(names, span.Name)
		for _, a := range span.Attributes {
			found[span.Name+" "+string(a.Key)] += " " + a.Value.String()
			if strings.Contains(a.Value.String(), "secret") {
				t.Errorf("span %s has %s", span.Name, a.Value.String())
			}
		}
		if strings.Contains(span.Status.Description, "secret") {
			t.Errorf("span %s has %s", span.Name, span.Status.Description)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"append", "barrier", "barrier", "decide", "decide"}, names); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	for attribute, want := range map[string]string{
		"append flagside.environment": " prod",
		"append flagside.outcome":     " committed",
		"append flagside.documents":   " 1",
		"append flagside.revision":    " 3",
		"decide flagside.command":     " put put",
		"decide error.type":           " invalid",
	} {
		if found[attribute] != want {
			t.Errorf("%s is %q, want %q", attribute, found[attribute], want)
		}
	}
}
