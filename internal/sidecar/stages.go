package sidecar

import (
	"context"
	"errors"
	"slices"
)

// stages are the parts of a running sidecar. They end in the reverse of the order in which they began, each after the one before is gone.
type stages struct {
	base    context.Context //nolint:containedctx // the parent of the contexts of all stages, which end at different times
	fail    context.CancelCauseFunc
	running []stage
}

// stage is one or several goroutines that begin and end together.
type stage struct {
	stop context.CancelFunc
	gone chan error // gets one error of each
}

// begin starts a stage. An error that one of its parts returns ends the sidecar.
func (s *stages) begin(parts ...func(context.Context) error) {
	ctx, stop := context.WithCancel(s.base)
	gone := make(chan error, len(parts))
	for _, run := range parts {
		go func() {
			err := run(ctx)
			if err != nil {
				s.fail(err)
			}
			gone <- err
		}()
	}
	s.running = append(s.running, stage{stop: stop, gone: gone})
}

// end ends all stages and returns their errors.
func (s *stages) end() error {
	var errs []error
	for _, stage := range slices.Backward(s.running) {
		stage.stop()
		for range cap(stage.gone) {
			errs = append(errs, <-stage.gone)
		}
	}
	return errors.Join(errs...)
}
