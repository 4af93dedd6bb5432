package sidecar

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// settleTime is how long after the start the sidecar counts as settled though it knows no flags.
const settleTime = 10 * time.Second

// onceStarted returns run, which begins when the first answers may be given: before that, it would only make them wait. At the end it begins all the
// same, because some parts have to say good-bye.
func (s *Sidecar) onceStarted(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-s.caughtUp:
		case <-ctx.Done():
		}
		return run(ctx)
	}
}

// compile compiles what a first state has left for later, so that what is wrong with any flag is known, and that no request has to wait.
func (s *Sidecar) compile(ctx context.Context) error {
	settled := sync.OnceFunc(func() {
		if s.options.Settled != nil {
			s.options.Settled()
		}
	})
	timer := time.AfterFunc(settleTime, settled)
	defer timer.Stop()
	for {
		changed := s.store.Changed()
		if view := s.store.View(); view != nil && ctx.Err() == nil {
			for view.Rules().FinishSome() && ctx.Err() == nil {
				runtime.Gosched() // requests go first
			}
			settled()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}
