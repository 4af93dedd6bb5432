// Package lifecycle runs the parts of a program that must end one after the other: a server before what it answers from, and a store last
// of all.
//
// It knows no signals: those are for main, see package ending.
//
// # Concurrency properties
//
// A Group is used by one goroutine. Each part runs in a goroutine of its own, and all are gone when Stop returns.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrEnded is the error of a part that ends before it is stopped and says nothing about it.
var ErrEnded = errors.New("it has ended by itself")

// Part is something that runs until its context ends.
type Part struct {
	// Name begins the errors of the part.
	Name string
	// Run returns nil, or the error of the context, once that has ended and all goroutines of the part are gone.
	Run func(ctx context.Context) error
}

// Group is the parts of a running program. Make one with New.
type Group struct {
	base   context.Context //nolint:containedctx // the parent of the contexts of all stages, which end at different times
	fail   context.CancelCauseFunc
	stages []stage
}

// stage is the parts that start and stop together.
type stage struct {
	stop  context.CancelFunc
	ended chan error // gets one error of each part
	parts int
}

// New returns a group without parts, and a context that ends when ctx does or the first part fails. The values of ctx reach the parts, its end
// does not: that is what Stop is for, which must be called.
func New(ctx context.Context) (*Group, context.Context) {
	running, fail := context.WithCancelCause(ctx)
	return &Group{base: context.WithoutCancel(ctx), fail: fail}, running
}

// Start starts parts that are also stopped together.
func (g *Group) Start(parts ...Part) {
	ctx, stop := context.WithCancel(g.base)
	ended := make(chan error, len(parts))
	for _, part := range parts {
		go func() {
			err := part.run(ctx)
			if err != nil {
				g.fail(err)
			}
			ended <- err
		}()
	}
	g.stages = append(g.stages, stage{stop: stop, ended: ended, parts: len(parts)})
}

// run runs the part and returns what went wrong.
func (p Part) run(ctx context.Context) error {
	err := p.Run(ctx)
	switch {
	case ctx.Err() == nil && err == nil:
		err = ErrEnded
	case err == nil, ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return nil
	}
	return fmt.Errorf("%s: %w", p.Name, err)
}

// Stop stops the parts in the reverse of the order in which they were started, each call of Start after the later ones are gone. It returns the errors of
// all parts.
func (g *Group) Stop() error {
	defer g.fail(nil)
	var errs []error
	for _, stage := range slices.Backward(g.stages) {
		stage.stop()
		for range stage.parts {
			errs = append(errs, <-stage.ended)
		}
	}
	g.stages = nil
	return errors.Join(errs...)
}
