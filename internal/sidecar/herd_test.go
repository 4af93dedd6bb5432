package sidecar_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/faultnet"
)

// herd asks for a flag with many connections, which it keeps.
type herd struct {
	client *http.Client
	url    string
	failed atomic.Int64
}

func newHerd(t *testing.T, s *running, size int) *herd {
	t.Helper()
	transport := &http.Transport{MaxIdleConns: size, MaxIdleConnsPerHost: size}
	t.Cleanup(transport.CloseIdleConnections)
	return &herd{
		client: &http.Client{Transport: transport, Timeout: patience},
		url:    "http://" + s.OFREPAddr().String() + "/ofrep/v1/evaluate/flags/" + strict,
	}
}

// ask asks once, and counts what is no answer.
func (h *herd) ask() {
	response, err := h.client.Post(h.url, "application/json", strings.NewReader(`{}`))
	if err != nil {
		h.failed.Add(1)
		return
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		h.failed.Add(1)
	}
}

// questions returns a function that counts what the leader of the log was asked since.
func (p *place) questions() (asked func() int) {
	p.t.Helper()
	client := p.server.Client(p.t)
	subscription, err := client.SubscribeSync("$JS.API.STREAM.INFO.FLAGS_" + environment)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := client.Flush(); err != nil {
		p.t.Fatal(err)
	}
	return func() int {
		if err := client.Flush(); err != nil {
			p.t.Fatal(err)
		}
		n, _, err := subscription.Pending()
		if err != nil {
			p.t.Fatal(err)
		}
		return n
	}
}

// Of 500 requests that come within the time that one question takes, some share the question that is waiting, and the others the next.
func TestAHerdSharesQuestions(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.options.FreshnessDeadline = patience
	p.startLive()
	p.stopPublisher() // it asks the leader, too
	const size = 500
	h := newHerd(t, p.sidecar, size)
	const roundTrip = 600 * time.Millisecond // a server that takes a second to show a sign of life is left
	p.network.Set(faultnet.Faults{ToServer: faultnet.Rule{Delay: roundTrip / 2}, ToClient: faultnet.Rule{Delay: roundTrip / 2}})
	asked := p.questions()
	began := time.Now()
	var all sync.WaitGroup
	for range size {
		all.Go(h.ask)
	}
	all.Wait()
	took, n := time.Since(began), asked()
	t.Logf("%d requests in %s took %d questions", size, took, n)
	// One may be under way already, for the sidecar itself, and what comes during the first question waits for the second.
	if most := 1 + 2*int(took/roundTrip); n == 0 || n > most || h.failed.Load() > 0 {
		t.Errorf("%d questions in %s, want at most %d; %d requests failed", n, took, most, h.failed.Load())
	}
}

// However many requests come, the leader is asked no more often than the spacing allows.
func TestAHerdKeepsTheBudget(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const spacing = 20 * time.Millisecond
	p.options.BarrierSpacing = spacing
	p.options.FreshnessDeadline = patience
	p.startLive()
	p.stopPublisher()
	const size, each = 500, 20
	h := newHerd(t, p.sidecar, size)
	asked := p.questions()
	began := time.Now()
	var all sync.WaitGroup
	for range size {
		all.Go(func() {
			for range each {
				h.ask()
			}
		})
	}
	all.Wait()
	took, n := time.Since(began), asked()
	t.Logf("%d requests in %s, %.0f a second, took %d questions", size*each, took, size*each/took.Seconds(), n)
	if most := int(took/spacing) + 2; n == 0 || n > most || h.failed.Load() > 0 {
		t.Errorf("%d questions in %s, want at most %d; %d requests failed", n, took, most, h.failed.Load())
	}
}
