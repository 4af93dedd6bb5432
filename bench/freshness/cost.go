package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pairs     = 15
	window    = 2 * time.Second
	askers    = 4
	warmingUp = 2 * time.Second
)

// cost is the processor time of the sidecar per answer, in windows in turn.
type cost struct{ healthy, cut []time.Duration }

// cost asks for a flag that demands nothing, as fast as it can, with the log and
// without it.
func (b *bench) cost(ctx context.Context) (cost, error) {
	var c cost
	load := b.newLoad()
	defer load.close()
	sleep(ctx, warmingUp)
	for range pairs {
		for _, w := range []struct {
			prepare func()
			serving string
			into    *[]time.Duration
		}{{b.mend, "live", &c.healthy}, {b.cut, "memory", &c.cut}} {
			w.prepare()
			if err := b.awaitServing(ctx, w.serving); err != nil {
				return c, err
			}
			spent, err := b.window(ctx, load)
			if err != nil {
				return c, err
			}
			*w.into = append(*w.into, spent)
		}
	}
	b.mend()
	if load.failed.Load() > 0 {
		return c, fmt.Errorf("%d requests failed", load.failed.Load())
	}
	return c, nil
}

// window returns the processor time per answer.
func (b *bench) window(ctx context.Context, l *load) (time.Duration, error) {
	before, err := b.sidecar.CPU()
	if err != nil {
		return 0, err
	}
	answered := l.answered.Load()
	sleep(ctx, window)
	answered = l.answered.Load() - answered
	after, err := b.sidecar.CPU()
	if err != nil || answered == 0 {
		return 0, fmt.Errorf("%d answers in %s: %w", answered, window, err)
	}
	return (after - before) / time.Duration(answered), nil
}

// load asks until it is closed.
type load struct {
	stop             context.CancelFunc
	running          sync.WaitGroup
	answered, failed atomic.Int64
}

func (b *bench) newLoad() *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{stop: stop}
	for range askers {
		l.running.Go(func() { l.ask(ctx, b.sidecar.OFREP) })
	}
	return l
}

func (l *load) close() {
	l.stop()
	l.running.Wait()
}

// ask asks over one connection, with as little work as possible on this side.
func (l *load) ask(ctx context.Context, address string) {
	transport := &http.Transport{DialContext: (&net.Dialer{}).DialContext}
	defer transport.CloseIdleConnections()
	target := "http://" + address + "/ofrep/v1/evaluate/flags/" + cached
	for ctx.Err() == nil {
		if err := post(ctx, transport, target); err == nil {
			l.answered.Add(1)
		} else if ctx.Err() == nil {
			l.failed.Add(1)
		}
	}
}

func post(ctx context.Context, by http.RoundTripper, target string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(`{"context":{"targetingKey":"someone"}}`))
	if err != nil {
		return err
	}
	response, err := by.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// ratio returns the throughput without the log divided by that with it, as the
// median of neighbouring windows.
func (c cost) ratio() float64 {
	ratios := make([]float64, len(c.cut))
	for i := range ratios {
		ratios[i] = float64(c.healthy[i]) / float64(c.cut[i])
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

func (c cost) print() {
	median := func(all []time.Duration) time.Duration { return slices.Sorted(slices.Values(all))[len(all)/2] }
	fmt.Printf("%-44s %8.2f us\n", "processor time per answer, healthy", float64(median(c.healthy))/1000)
	fmt.Printf("%-44s %8.2f us\n", "processor time per answer, cut", float64(median(c.cut))/1000)
}
