package sidecar_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/sidecar"
)

// A request of a visitor passes three services, each with a sidecar of its own, while one change after the other is made to all flags together. The first answers
// from what is newest, the others from the same revision, so the visitor never sees two.
func TestOneRevisionThroughThreeServices(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	change := func(n int) {
		p.put(map[string]string{"a": flag(n), "b": flag(n), "c": flag(n), "switch": strings.Replace(flag(n), "{", `{"kind":"ops",`, 1)})
	}
	change(1)
	var services []*running
	for range 3 {
		o := options(server.URL())
		o.PastRevisions = sidecar.DefaultPastRevisions
		services = append(services, start(t, o))
	}
	for _, s := range services {
		s.awaitReady()
	}
	ctx, stop := context.WithCancel(t.Context())
	var traces, whole, gone atomic.Int64
	var visitors sync.WaitGroup
	for range 4 {
		visitors.Go(func() {
			for ctx.Err() == nil {
				mixed, kept := visit(t, services)
				traces.Add(1)
				switch {
				case !kept:
					gone.Add(1)
				case mixed != "":
					t.Errorf("mixed revisions: %s", mixed)
					return
				default:
					whole.Add(1)
				}
			}
		})
	}
	const changes = 150
	every := time.NewTicker(20 * time.Millisecond) // 50 a second
	defer every.Stop()
	for n := range changes {
		<-every.C
		change(n + 2)
	}
	stop()
	visitors.Wait()
	if whole.Load() == 0 {
		t.Errorf("no trace had one revision; of %d, %d met a sidecar that did not keep it", traces.Load(), gone.Load())
	}
	t.Logf("%d traces through three services, %d with one revision, %d met a sidecar without it", traces.Load(), whole.Load(), gone.Load())
	for _, s := range services {
		s.awaitValue("switch", float64(changes+1))
	}
	// A kill switch is never an old one, however old the revision that is asked for.
	answer := ask(t, services[0], "a", nil)
	change(1000)
	services[1].awaitValue("a", 1000.0)
	if pinned := ask(t, services[1], "a", answer.header); pinned.value != changes+1 {
		t.Errorf("pinned: %v", pinned.value)
	}
	if pinned := ask(t, services[1], "switch", answer.header); pinned.value != 1000 {
		t.Errorf("kill switch, pinned: %v", pinned.value)
	}
}

// visited is an answer of a sidecar.
type visited struct {
	value  float64
	gone   bool
	header http.Header
}

// visit asks one service after the other, and passes on the revision of the first. kept is false if a sidecar did not have it.
func visit(t *testing.T, services []*running) (mixed string, kept bool) {
	t.Helper()
	var values []float64
	var first http.Header
	for i, s := range services {
		answer := ask(t, s, string(rune('a'+i)), first)
		if answer.gone {
			return "", false
		}
		if first == nil {
			first = answer.header
		}
		values = append(values, answer.value)
	}
	if values[0] != values[1] || values[1] != values[2] {
		return fmt.Sprint(values), true
	}
	return "", true
}

// ask asks a sidecar, pinned to the revision of an earlier answer if there is one.
func ask(t *testing.T, s *running, key string, earlier http.Header) visited {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+s.OFREPAddr().String()+"/ofrep/v1/evaluate/flags/"+key, strings.NewReader("{}"))
	if err != nil {
		t.Error(err)
		return visited{}
	}
	request.Header.Set("Content-Type", "application/json")
	if earlier != nil {
		request.Header.Set("Flagside-Pin-Revision", earlier.Get("Flagside-Revision"))
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Error(err)
		return visited{}
	}
	defer response.Body.Close()
	var body struct {
		Value    float64        `json:"value"`
		Metadata map[string]any `json:"metadata"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%s: %d, %v", key, response.StatusCode, err)
	}
	_, gone := body.Metadata["pinnedRevisionGone"]
	return visited{value: body.Value, gone: gone, header: response.Header}
}
