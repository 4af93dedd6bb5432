package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// lifecycleTest is about what happens to a client over time.
type lifecycleTest struct {
	name     string
	run      func(ctx context.Context, s *system, d Driver) error
	ofEvents bool // needs a provider that tells of changes
}

func lifecycle() []lifecycleTest {
	return []lifecycleTest{
		{"change event within a second", changeEvent, true},
		{"changed answer", changedAnswer, false},
		{"sidecar offline", offline, false},
		{"sidecar restart", restart, false},
	}
}

// change publishes another value of the changing flag, and returns it as JSON.
func (s *system) change(ctx context.Context) (value string, err error) {
	s.changes++
	return fmt.Sprintf(`"value %d"`, s.changes), s.put(ctx, changing, volatile(s.changes))
}

func changeEvent(ctx context.Context, s *system, d Driver) error {
	drain(d)
	if _, err := s.change(ctx); err != nil {
		return err
	}
	return awaitChange(ctx, d, changeTimeout)
}

// awaitChange waits until the client tells that the changing flag has changed.
func awaitChange(ctx context.Context, d Driver, within time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("no change event within %s", within))
	defer cancel()
	var others []Event
	for {
		select {
		case e := <-d.Events():
			if e.Name == "changed" && slices.Contains(e.Flags, changing) {
				return nil
			}
			others = append(others, e)
		case <-ctx.Done():
			return fmt.Errorf("%w, but %v", context.Cause(ctx), others)
		}
	}
}

func drain(d Driver) {
	for {
		select {
		case <-d.Events():
		default:
			return
		}
	}
}

func changedAnswer(ctx context.Context, s *system, d Driver) error {
	value, err := s.change(ctx)
	if err != nil {
		return err
	}
	return awaitAnswer(ctx, d, value, answerTimeout)
}

// awaitAnswer asks until the changing flag has a value.
func awaitAnswer(ctx context.Context, d Driver, value string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	question := Question{"string", changing, "none", map[string]any{"targetingKey": "user-1"}}
	var last Answer
	for ctx.Err() == nil {
		answer, err := d.Evaluate(ctx, question)
		if err == nil && sameJSON(string(answer.Value), value) {
			return nil
		}
		if err == nil {
			last = answer
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return fmt.Errorf("got %s %s %s after %s, want %s", last.Value, last.ErrorCode, last.Message, within, value)
}

// offline asks while there is no sidecar: the client answers the application's default or what it remembers, soon, and does not fail.
func offline(ctx context.Context, s *system, d Driver) error {
	s.sidecar.Kill()
	ctx, cancel := context.WithTimeout(ctx, offlineTimeout)
	defer cancel()
	answer, err := d.Evaluate(ctx, Question{"boolean", "boolean", true, map[string]any{"targetingKey": "user-1"}})
	if err == nil && !sameJSON(string(answer.Value), "true") {
		err = fmt.Errorf("got %s", answer.Value)
	}
	return err
}

// restart brings the sidecar back after a change that no one heard of.
func restart(ctx context.Context, s *system, d Driver) error {
	value, err := s.change(ctx)
	if err != nil {
		return err
	}
	if err := s.startSidecar(ctx); err != nil {
		return errors.Join(errors.New("the sidecar does not come back"), err)
	}
	return awaitAnswer(ctx, d, value, restartTimeout)
}
