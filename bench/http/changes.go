//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/client"
)

// changing is changes that are made in the background.
type changing struct {
	end  context.CancelFunc
	done chan error
	made int
}

const changedFlag = "changed-by-the-benchmark"

// change changes a flag of an environment at a rate a second, until it is stopped.
func (w *world) change(ctx context.Context, environment string, perSecond float64) *changing {
	ctx, end := context.WithCancel(ctx)
	c := &changing{end: end, done: make(chan error, 1)}
	go func() {
		c.done <- c.run(ctx, w.publisher, environment, time.Duration(float64(time.Second)/perSecond))
	}()
	return c
}

func (c *changing) run(ctx context.Context, p *process.Publisher, environment string, interval time.Duration) error {
	revision, err := revisionOf(ctx, p, environment)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := 0; err == nil; i++ {
		select {
		case <-tick.C:
			revision, err = p.PutFlag(ctx, environment, changedFlag, revision, document(i))
			c.made++
		case <-ctx.Done():
			return nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// stop ends the changes. It fails unless so many were made.
func (c *changing) stop(atLeast int) error {
	c.end()
	if err := <-c.done; err != nil {
		return fmt.Errorf("change: %w", err)
	}
	if c.made < atLeast {
		return fmt.Errorf("only %d changes were made meanwhile, and %d is the least", c.made, atLeast)
	}
	return nil
}

// revisionOf returns the revision of the flag that is changed, empty if there is none yet.
func revisionOf(ctx context.Context, p *process.Publisher, environment string) (string, error) {
	revision, err := p.FlagRevision(ctx, environment, changedFlag)
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Status == http.StatusNotFound {
		return "", nil
	}
	return revision, err
}

// document is that of the i-th change.
func document(i int) []byte {
	return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"v":%d},"defaultVariant":"v"}`, i)
}
