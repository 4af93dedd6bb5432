package sidecar_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/linearizable"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/writer"
)

// Several writers change a flag, and several sidecars, whose networks break all the time, answer it: what is always fresh was written last,
// whatever the order of the feed, and what comes from memory never goes back.
func TestHistoriesUnderFaults(t *testing.T) {
	t.Parallel()
	seeds, length := 1, 5*time.Second
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		seeds, length = 10, 30*time.Second
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { underFaults(t, uint64(seed), length) })
	}
}

// party is everybody who takes part.
type party struct {
	place    *place
	register *linearizable.Register
	sidecars []*place // with a network of their own
	refused  atomic.Int64
	read     atomic.Int64
}

const readers, writers = 3, 3

func underFaults(t *testing.T, seed uint64, length time.Duration) {
	t.Helper()
	p := &party{place: newPlace(t), register: linearizable.New()}
	for range readers {
		own := &place{t: t, server: p.place.server}
		own.network = faultnet.Start(t, strings.TrimPrefix(own.server.URL(), "nats://"))
		own.options = options("nats://" + own.network.Addr())
		own.options.FreshnessDeadline = shortDeadline
		own.startLive()
		p.sidecars = append(p.sidecars, own)
	}
	p.zero()
	ctx, cancel := context.WithTimeout(t.Context(), length+waiting.Patience)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { // on a busy machine little happens in a while
		for begun := time.Now(); ctx.Err() == nil && (time.Since(begun) < length || !p.testsSomething()); {
			pause(ctx, 50*time.Millisecond)
		}
		cancel()
	})
	for i := range writers {
		w := openWriter(t, connectPublisher(t, p.place.server.URL(), trusttest.Default()))
		all.Go(func() { p.write(ctx, i, w) })
	}
	for i, own := range p.sidecars {
		all.Go(func() { p.readFresh(ctx, writers+i, own.sidecar) })
		all.Go(func() { p.readCached(ctx, own.sidecar) })
		all.Go(func() { own.disturb(ctx, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	all.Go(func() { p.muteFeed(ctx) })
	all.Wait()
	t.Logf("%d operations, %d reads were refused, %d came from memory", p.register.Len(), p.refused.Load(), p.read.Load())
	if err := p.register.Check(time.Minute); err != nil {
		t.Error(err)
	}
	if !p.testsSomething() {
		t.Errorf("%d operations, %d refused reads: the test tests nothing", p.register.Len(), p.refused.Load())
	}
	for i, own := range p.sidecars {
		own.network.Set(faultnet.Faults{})
		waiting.Until(t, fmt.Sprintf("the last state at sidecar %d", i), func() bool {
			_, a := own.sidecar.evaluate(cached)
			_, b := p.sidecars[0].sidecar.evaluate(strict)
			return a["value"] != nil && a["value"] == b["value"]
		})
	}
}

// testsSomething reports whether enough happened.
func (p *party) testsSomething() bool { return p.register.Len() >= 20 && p.refused.Load() > 0 }

// zero gives the register its first value and waits until everybody has it.
func (p *party) zero() {
	p.place.publisher.put(demanding(0))
	for _, own := range p.sidecars {
		own.sidecar.awaitValue(strict, 0.0)
	}
}

// write puts one value after the other. They grow with the log, by the revision that each would have, and no two writers have the same.
func (p *party) write(ctx context.Context, client int, w *logWriter) {
	for n := 0; ctx.Err() == nil; n++ {
		head, err := w.catchUp(ctx)
		if err != nil {
			continue
		}
		value := (int(head.Revision)+1)*writers + client
		change := writer.Change{OpID: fmt.Sprintf("writer-%d-%d", client, n), Actor: "tester", Time: time.Unix(1, 0)}
		for key, body := range demanding(value) {
			change.Documents = append(change.Documents, document.Document{Kind: document.KindFlag, Key: key, Body: []byte(body)})
		}
		p.register.Write(client, value, func() linearizable.Outcome {
			outcome, err := w.append(ctx, change)
			switch {
			case err == nil && outcome.State == writer.Committed:
				return linearizable.Done
			case err == nil && outcome.State == writer.Lost:
				return linearizable.Refused
			default:
				return linearizable.Unknown
			}
		})
		pause(ctx, 20*time.Millisecond)
	}
}

// value asks for the value of a flag.
func (r *running) value(key string) (value int, ok bool) {
	status, answer := r.evaluate(key)
	number, isNumber := answer["value"].(float64)
	return int(number), isNumber && status == http.StatusOK
}

func (p *party) readFresh(ctx context.Context, client int, s *running) {
	for ctx.Err() == nil {
		if _, ok := p.register.Read(client, func() (int, bool) { return s.value(strict) }); !ok {
			p.refused.Add(1)
		}
		pause(ctx, 5*time.Millisecond)
	}
}

// readCached looks whether what comes from memory only grows.
func (p *party) readCached(ctx context.Context, s *running) {
	newest := 0
	for ; ctx.Err() == nil; pause(ctx, 5*time.Millisecond) {
		value, ok := s.value(cached)
		if !ok || value < newest {
			s.t.Errorf("after %d came %d, %t", newest, value, ok)
		}
		newest = max(newest, value)
		p.read.Add(1)
	}
}

// disturb breaks the network of a sidecar and mends it, again and again.
func (p *place) disturb(ctx context.Context, chance *rand.Rand) {
	faults := []func(){
		func() { p.network.Cut() },
		func() { p.network.Refuse(true); p.network.Cut() },
		func() { p.blackHole(true) },
		func() { p.network.Set(faultnet.Faults{ToClient: faultnet.Rule{Action: faultnet.Hold}}) },
		func() { p.network.Set(faultnet.Faults{ToServer: faultnet.Rule{Action: faultnet.Hold}}) },
		func() { p.network.Set(faultnet.Faults{ToClient: faultnet.Rule{Delay: 50 * time.Millisecond}}) },
	}
	for ctx.Err() == nil {
		faults[chance.IntN(len(faults))]()
		pause(ctx, time.Duration(chance.IntN(500))*time.Millisecond)
		p.network.Refuse(false)
		p.network.Set(faultnet.Faults{})
		pause(ctx, time.Duration(chance.IntN(500))*time.Millisecond)
	}
}

// muteFeed makes the feed lose changes now and then.
func (p *party) muteFeed(ctx context.Context) {
	for lose := true; ctx.Err() == nil; lose = !lose {
		p.place.loseFeed(lose)
		pause(ctx, 300*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
