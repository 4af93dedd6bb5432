package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// script is a driver in JavaScript: it takes commands and sends reports.
type script struct {
	commands chan command
	events   chan Event
	started  chan error
	ended    chan struct{} // closed when no one takes commands any more
	stop     func()

	mu      sync.Mutex
	last    int
	waiting map[int]chan report
}

type command struct {
	ID int    `json:"id"`
	Op string `json:"op"`
	Question
}

type report struct {
	ID      int    `json:"id"`
	Failure string `json:"failure"`
	Event
	Answer
}

func newScript() *script {
	return &script{
		commands: make(chan command), events: make(chan Event, eventQueue), started: make(chan error, 1),
		ended: make(chan struct{}), waiting: make(map[int]chan report),
	}
}

// take takes one report.
func (s *script) take(line []byte) error {
	var r report
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("report %q: %w", line, err)
	}
	switch {
	case r.Name == "started":
		s.started <- nil
	case r.Name == "failed":
		s.started <- errors.New(r.Event.Message)
	case r.Name != "":
		s.events <- r.Event
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		if waiter, ok := s.waiting[r.ID]; ok {
			waiter <- r
			delete(s.waiting, r.ID)
		}
	}
	return nil
}

// awaitStart returns when the provider is ready.
func (s *script) awaitStart(ctx context.Context) error {
	select {
	case err := <-s.started:
		return err
	case <-s.ended:
		return errors.New("the client ended before it was ready")
	case <-ctx.Done():
		return fmt.Errorf("waiting for the client: %w", context.Cause(ctx))
	}
}

func (s *script) Evaluate(ctx context.Context, q Question) (Answer, error) {
	answered := make(chan report, 1)
	s.mu.Lock()
	s.last++
	c := command{ID: s.last, Op: "evaluate", Question: q}
	s.waiting[c.ID] = answered
	s.mu.Unlock()
	select {
	case s.commands <- c:
	case <-s.ended:
		return Answer{}, errors.New("the client has ended")
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
	select {
	case r := <-answered:
		if r.Failure != "" {
			return Answer{}, errors.New(r.Failure)
		}
		return r.Answer, nil
	case <-s.ended:
		return Answer{}, errors.New("the client has ended")
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}

func (s *script) Events() <-chan Event { return s.events }

func (s *script) Close() { s.stop() }
