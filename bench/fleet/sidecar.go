package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/process"
)

// realSidecar is a sidecar, which is a process, and how many evaluations it has answered.
type realSidecar struct {
	*process.Sidecar

	asked uint64
}

// startSidecars starts so many at once, each in a pod of its own. Those that have started are returned with an error, too.
func (b *bench) startSidecars(ctx context.Context, n int, options ...string) ([]*realSidecar, error) {
	addresses, err := process.FreeAddresses(2 * n)
	if err != nil {
		return nil, err
	}
	var started []*realSidecar
	for i := range n {
		pod := fmt.Sprint("shop-", len(b.sidecars)+i)
		who := append([]string{"--pod", pod, "--namespace", "shop", "--application", "shop"}, options...)
		s, err := b.StartSidecar(environment, b.publisher.NATS, "", addresses[2*i], addresses[2*i+1], who...)
		if err != nil {
			return started, err
		}
		started = append(started, &realSidecar{Sidecar: s})
	}
	for _, s := range started {
		if err := s.AwaitReady(ctx); err != nil {
			return started, err
		}
	}
	return started, nil
}

// evaluate asks for the value of the flag.
func (s *realSidecar) evaluate(ctx context.Context) (int, error) {
	answer, err := s.Evaluate(ctx, flagKey, `{"targetingKey":"u1"}`)
	if err != nil {
		return 0, err
	}
	if answer.HTTPStatus != http.StatusOK {
		return 0, fmt.Errorf("an evaluation is answered with %d: %s", answer.HTTPStatus, answer.ErrorCode)
	}
	s.asked++
	return strconv.Atoi(string(answer.Value))
}

// stopAll stops sidecars in order, all at once.
func stopAll(sidecars []*realSidecar) (err error) {
	var once sync.Once
	var running sync.WaitGroup
	for _, s := range sidecars {
		running.Go(func() {
			if failed := s.Stop(time.Minute); failed != nil {
				once.Do(func() { err = fmt.Errorf("sidecar: %w", failed) })
			}
		})
	}
	running.Wait()
	return err
}
