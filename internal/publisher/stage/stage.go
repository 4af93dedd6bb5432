// Package stage runs the parts of a program that must end one after the other: a server before what it answers from, and a store last
// of all.
package stage

import (
	"context"
	"errors"
	"fmt"
)

// Stage is a part of a program that runs by itself until it is ended.
type Stage struct {
	cancel context.CancelFunc
	done   chan error
}

// Begin starts a part. The values of ctx reach it, but not its end: that is what End is for. When the part ends by itself, fail is told
// why.
func Begin(ctx context.Context, name string, run func(context.Context) error, fail context.CancelCauseFunc) *Stage {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Stage{cancel: cancel, done: make(chan error, 1)}
	go func() {
		err := run(own)
		if own.Err() == nil {
			if err == nil {
				err = errors.New("it has ended by itself")
			}
			err = fmt.Errorf("%s: %w", name, err)
			fail(err)
		}
		s.done <- err
	}()
	return s
}

// End ends the part and returns its error once it is gone. It is called once.
func (s *Stage) End() error {
	s.cancel()
	return <-s.done
}
