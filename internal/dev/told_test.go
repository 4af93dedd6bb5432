package dev_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
)

// A client that evaluates by itself makes use unknown, until it tells how often it evaluated. Then that is counted.
func TestAClientThatEvaluatesByItself(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	p := startPublisher(t, s)
	if _, err := p.CreateEnvironment(t.Context(), api.NewEnvironment{Name: natstest.Environment, Protected: new(false)}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	id := document.ID{Kind: document.KindFlag, Key: "checkout"}
	body := `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`
	if _, _, err := p.Put(t.Context(), natstest.Environment, id, []byte(body), client.Precondition{Absent: true}, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	one, err := sidecar.New(sidecar.Options{
		Environment: natstest.Environment, NATS: s.URL(), NATSNKey: natstest.SidecarKey(t), Trust: trusttest.Default().Trust, OFREPAddr: "127.0.0.1:0",
		FlagdSyncAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0", UsageInterval: 40 * time.Millisecond, Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := runPart(t, one.Run)
	waiting.Until(t, "the sidecar is ready", one.Ready)
	post := func(target, contentType, body string) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", contentType)
		request.Header.Set("Connect-Protocol-Version", "1")
		request.Header.Set("Flagside-Application", "cart")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	stream := post("http://"+one.FlagdSyncAddr().String()+"/flagd.sync.v1.FlagSyncService/SyncFlags", "application/connect+json", "\x00\x00\x00\x00\x02{}")
	defer stream.Body.Close()
	var got api.FlagUsage
	usage := func(what string, holds func() bool) {
		t.Helper()
		waiting.Until(t, what, func() bool {
			var err error
			got, err = p.FlagUsage(t.Context(), natstest.Environment, id.Key, api.FlagUsageQuery{})
			return err == nil && holds()
		})
	}
	usage("its evaluations are unknown", func() bool { return len(got.Clients) == 1 && got.Clients[0].Clients == 1 })
	const told = `{"client":"a1","evaluations":[{"flag":"checkout","variant":"off","reason":"STATIC","count":17}]}`
	answer := post("http://"+one.OFREPAddr().String()+"/v1/evaluations", "application/json", told)
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusAccepted || string(said) != `{"counted":1}` {
		t.Fatalf("%d %s, %v", answer.StatusCode, said, err)
	}
	answer.Body.Close()
	usage("they are counted", func() bool { return len(got.Series) == 1 && got.Clients[0].Clients == 0 })
	if one := got.Series[0]; one.Evaluations != 17 || one.Variant != "off" || one.Application != "cart" || one.Revision == "" {
		t.Errorf("%+v", one)
	}
	stop()
}
