package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
)

// What is measured: one request after the other on one connection, in turns with the gate and without it; and what the sidecar takes of the processors
// while many ask at once, because its threads look for work in vain between single requests.
const (
	turns    = 100
	requests = 200 // of a turn
	warmUp   = 5   // turns that do not count
	visitors = 16  // at once
)

// What the gate adds to a request through nginx, over the Unix socket. No answer comes from the memory of nginx, as for visitors that are new to it.
func TestAddedLatency(t *testing.T) {
	if os.Getenv("FLAGSIDE_SOAK") == "" {
		t.Skip("measures for a minute: make gateway does")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	program := proxies[0].find(t)
	binaries, err := process.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(ctx, t, binaries, proxies[0], program)
	var with, without figures.Durations
	for turn := range turns + warmUp {
		asked, plain := s.run(s.address, turn), s.run(s.more, turn)
		if turn >= warmUp {
			with, without = append(with, asked...), append(without, plain...)
		}
	}
	spent := s.busy()
	t.Logf("figure: p50 %.3f ms with the gate, %.3f ms without it; p99 %.3f ms and %.3f ms", with.Milliseconds(50), without.Milliseconds(50),
		with.Milliseconds(99), without.Milliseconds(99))
	t.Logf("measured: added_p50_ms=%.3f added_p99_ms=%.3f cpu_us=%.1f", with.Milliseconds(50)-without.Milliseconds(50),
		with.Milliseconds(99)-without.Milliseconds(99), spent)
}

// busy returns how many microseconds of a processor the sidecar takes for a request while many ask at once.
func (s *site) busy() float64 {
	s.t.Helper()
	s.client.Transport = &http.Transport{MaxIdleConnsPerHost: visitors}
	before := s.cpu()
	var asking sync.WaitGroup
	for visitor := range visitors {
		asking.Go(func() {
			for turn := range 10 {
				s.run(s.address, 1000+10*visitor+turn)
			}
		})
	}
	asking.Wait()
	return float64((s.cpu() - before).Microseconds()) / (10 * visitors * requests)
}

// cpu returns what the sidecar has taken of the processors.
func (s *site) cpu() time.Duration {
	s.t.Helper()
	spent, err := s.sidecar.CPU()
	if err != nil {
		s.t.Fatal(err)
	}
	return spent
}

// run sends the requests of a turn, each of another visitor.
func (s *site) run(address string, turn int) (took figures.Durations) {
	s.t.Helper()
	for i := range requests {
		request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, "http://"+address+"/cart", http.NoBody)
		if err != nil {
			s.t.Error(err)
			return took
		}
		request.Header.Set("X-User", fmt.Sprintf("visitor-%d-%d", turn, i))
		request.Header.Set("X-Plan", "gold")
		began := time.Now()
		response, err := s.client.Do(request)
		if err != nil {
			s.t.Error(err)
			return took
		}
		_, err = io.Copy(io.Discard, response.Body)
		took = append(took, time.Since(began))
		if response.Body.Close() != nil || err != nil || response.StatusCode != http.StatusOK {
			s.t.Errorf("status %d, %v", response.StatusCode, err)
		}
	}
	return took
}
