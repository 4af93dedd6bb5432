package sidecar

import (
	"context"
	"errors"
	"slices"
)

// stages are the parts of a running sidecar, each a goroutine. They end in the reverse of the order in which they began, each after the
// one before is gone.
type stages struct {
	base    context.Context //nolint:containedctx // the parent of the contexts of all stages, which end at different times
	fail    context.CancelCauseFunc
	running []stage
}

type stage struct {
	stop context.CancelFunc
	gone chan error
}

// begin starts a stage. An error that it returns ends the sidecar.
func (s *stages) begin(run func(context.Context) error) {
	ctx, stop := context.WithCancel(s.base)
	gone := make(chan error, 1)
	go func() {
		err := run(ctx)
		if err != nil {
			s.fail(err)
		}
		gone <- err
	}()
	s.running = append(s.running, stage{stop: stop, gone: gone})
}

// end ends all stages and returns their errors.
func (s *stages) end() error {
	var errs []error
	for _, stage := range slices.Backward(s.running) {
		stage.stop()
		errs = append(errs, <-stage.gone)
	}
	return errors.Join(errs...)
}
