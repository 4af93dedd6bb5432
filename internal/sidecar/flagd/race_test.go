package flagd_test

import (
	"sync"
	"testing"

	evaluationv2 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v2"
	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/sidecar/flagd"
	"github.com/flagside/flagside/internal/sidecar/historytest"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// views are those of a history in which something happens once the first request has begun.
type views struct {
	*historytest.History

	began  bool
	happen sync.Once
	what   func()
}

func (v *views) View() *cache.View {
	if v.began {
		v.happen.Do(v.what)
	}
	v.began = true
	return v.Store.View()
}

// An answer that rests on flags which changed before it was sent would be kept, although the event that names its flag has been sent.
func TestAnswersThatAChangeOvertakesAreNotKept(t *testing.T) {
	h := historytest.New(t)
	h.Commit(flags()...)
	changing := &views{History: h, what: func() {
		h.Commit(doc("on", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`))
	}}
	s := start(t, h, func(o *flagd.Options) {
		r, err := resolver.New(resolver.Options{Views: changing, Metrics: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		o.Resolver = r
	})
	client := s.v2(dialects()[0])
	for _, want := range []struct {
		variant, reason string
	}{{"on", "DEFAULT"}, {"off", "STATIC"}} {
		answer, err := client.ResolveBoolean(t.Context(), connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: "on"}))
		if err != nil {
			t.Fatal(err)
		}
		if answer.Msg.GetVariant() != want.variant || answer.Msg.GetReason() != want.reason {
			t.Errorf("%s %s, want %+v", answer.Msg.GetVariant(), answer.Msg.GetReason(), want)
		}
	}
}

// An answer that was sent just before its flag changed may be read after the event, and be kept: the event comes twice then, and once if there
// was no such answer.
func TestAnEventThatAnAnswerMayOvertakeIsSaidAgain(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	stream := s.events(t, dialects()[0])
	stream.want("provider_ready", nil)
	s.Commit(historytest.Flag("quiet", 1))
	stream.want("configuration_change", map[string]string{"quiet": "write"})

	client := s.v2(dialects()[0])
	answer, err := client.ResolveBoolean(t.Context(), connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: "on"}))
	if err != nil {
		t.Fatal(err)
	}
	if reason := answer.Msg.GetReason(); reason != "STATIC" {
		t.Fatalf("reason %s, want STATIC", reason)
	}
	s.Commit(doc("on", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`))
	changed := map[string]string{"on": "update"}
	stream.want("configuration_change", changed)
	stream.want("configuration_change", changed)
}
