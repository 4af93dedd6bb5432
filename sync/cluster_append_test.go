package flagsync_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/faultnet"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// TestAPausedAppendIsWrittenOnce stops a publisher in the middle of an append, before or
// after the server has it, or between the members of a batch, lets another one
// write meanwhile, and lets the first go on, with its connection or without.
// Nothing is written twice, nothing acknowledged is lost, and what was told to
// be lost is not there.
func TestAPausedAppendIsWrittenOnce(t *testing.T) {
	t.Parallel()
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		l := newLog(t)
		pausedAppends(t, l.server.URL(), l.Log, 1)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		servers, l := newReplicated(t)
		pausedAppends(t, servers.Nodes[0].URL(), l.Log, replicas)
	})
}

func pausedAppends(t *testing.T, url string, other *writer.Log, copies int) {
	t.Helper()
	proxies, through := proxied(t, url)
	c := connect(t, through)
	own, err := writer.OpenLog(t.Context(), c, writer.LogOptions{Environment: environment, Replicas: copies})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, uint64(copies)))
	paused := &pausing{t: t, random: random, proxy: proxies[0], conn: c, own: own, other: other, told: newOutcomes()}
	for round := range seeds(12, 300) {
		paused.round(round)
	}
	head, err := other.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	paused.told.verify(t, other, head)
	committed, lost := paused.told.count(writer.Committed), paused.told.count(writer.Lost)
	t.Logf("%d committed, %d lost", committed, lost)
	if committed == 0 || lost == 0 || paused.told.count(writer.Open) > 0 {
		t.Errorf("%d committed, %d lost, %d open; want some of both and nothing open",
			committed, lost, paused.told.count(writer.Open))
	}
}

type pausing struct {
	t      *testing.T
	random *rand.Rand
	proxy  *faultnet.Proxy
	conn   *flagsync.Conn
	own    *writer.Log // through the proxy
	other  *writer.Log
	told   *outcomes
	known  bases
}

func (p *pausing) round(n int) {
	t := p.t
	eventually(t, func() (bool, string) { return p.conn.Connected(), "the connection through the proxy" })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	head, err := p.own.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	basis, err := p.known.read(ctx, p.own, head)
	if err != nil {
		t.Fatal(err)
	}
	hold := faultnet.Faults{ToServer: faultnet.Rule{Action: faultnet.Hold}}
	if p.random.IntN(2) == 0 {
		hold = faultnet.Faults{ToClient: faultnet.Rule{Action: faultnet.Hold}}
	}
	p.proxy.Set(hold)
	documents := make([]document.Document, 1+p.random.IntN(3))
	for i := range documents {
		documents[i] = put(fmt.Sprint("flag-", i), fmt.Sprintf(`{"round":%d}`, n))
	}
	done := make(chan writer.OutcomeState, 1)
	go func() {
		outcome, err := p.own.Append(ctx, basis, change(fmt.Sprint("paused-", n), documents...))
		if err != nil {
			t.Errorf("round %d: %v", n, err)
		}
		done <- outcome.State
	}()
	eventually(t, func() (bool, string) { return p.proxy.Held() > 0, "the append to be on its way" })
	if p.random.IntN(3) > 0 {
		p.told.append(t, p.other, fmt.Sprint("other-", n))
	}
	if p.random.IntN(2) == 0 {
		p.proxy.Cut()
	}
	p.proxy.Set(faultnet.Faults{})
	p.told.note(fmt.Sprint("paused-", n), <-done)
}
