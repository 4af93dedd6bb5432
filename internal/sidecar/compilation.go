package sidecar

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// settleTime is how long after the start the sidecar counts as settled though it knows no flags.
const settleTime = time.Second

// once returns run, which begins when something else has happened: before that, it would only make requests wait. At the end it begins all the same,
// because some parts have to say good-bye.
func once(happened <-chan struct{}, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-happened:
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
	compiled := sync.OnceFunc(func() { close(s.compiled) })
	defer compiled()
	for {
		changed := s.store.Changed()
		if view := s.store.View(); view != nil && ctx.Err() == nil {
			for view.Rules().FinishSome() && ctx.Err() == nil {
				runtime.Gosched() // requests go first
			}
			settled()
		}
		compiled()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}
