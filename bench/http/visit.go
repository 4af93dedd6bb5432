//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flagside/flagside/bench/http/load"
)

// asked is a scenario that is ready to be asked: its environment is there, and what is sent and answered is known.
type asked struct {
	scenario

	requests []load.Request
	answer   []byte // as a sidecar has sent it; of several, the one in the middle by length
}

// ready prepares a scenario: it asks a sidecar everything once.
func (w *world) ready(ctx context.Context, s scenario) (a *asked, err error) {
	if err := w.prepare(ctx, s.environment(), s.Flags); err != nil {
		return nil, err
	}
	a = &asked{scenario: s}
	if s.Ask == askStream {
		return a, nil
	}
	server, err := w.startSidecar(ctx, s.environment())
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	target := server.target(&s)
	etag := ""
	if s.Ask == askBulkKnown {
		first := s
		first.Ask = askBulk
		requests, err := first.requests("")
		if err != nil {
			return nil, err
		}
		answer, err := load.Ask(target, requests[0])
		if err != nil {
			return nil, err
		}
		if etag = answer.Header.Get("ETag"); etag == "" {
			return nil, errors.New("the answer to the bulk request has no ETag")
		}
	}
	if a.requests, err = s.requests(etag); err != nil {
		return nil, err
	}
	if s.Protocol != overGRPC { // whose answers the generator checks
		a.answer, err = a.tryAll(target)
	}
	return a, err
}

// tryAll asks for everything once, at most a thousand requests, and checks the answers. It returns the one in the middle by length.
func (a *asked) tryAll(t load.Target) ([]byte, error) {
	step := max(1, len(a.requests)/1000)
	var answers [][]byte
	for i := 0; i < len(a.requests); i += step {
		answer, err := load.Ask(t, a.requests[i])
		if err != nil {
			return nil, err
		}
		if err := a.checkAnswer(answer); err != nil {
			return nil, fmt.Errorf("request %d: %w", i, err)
		}
		answers = append(answers, answer.Wire)
	}
	slices.SortStableFunc(answers, func(x, y []byte) int { return len(x) - len(y) })
	return answers[len(answers)/2], nil
}

func (a *asked) plan(t load.Target) load.Plan {
	return load.Plan{Target: t, Requests: a.requests, Status: a.status()}
}

// visitConstant measures the constant server.
func (w *world) visitConstant(ctx context.Context, a *asked, much amount, rate float64) (sample, error) {
	p, target, err := w.startConstant(ctx, a.Network, a.answer)
	if err != nil {
		return sample{}, err
	}
	defer p.Kill()
	return drive(ctx, a.plan(target), p.PID(), much, rate)
}

// visitSidecar measures a sidecar that has started from its disk and has compiled all flags.
func (w *world) visitSidecar(ctx context.Context, a *asked, much amount, rate float64) (found sample, err error) {
	s, err := w.startSidecar(ctx, a.environment())
	if err != nil {
		return sample{}, err
	}
	defer s.Kill()
	if err := settle(ctx, s.PID()); err != nil {
		return sample{}, err
	}
	if w.profiles != "" {
		finish := profile(ctx, w.profiles, s, a, much)
		defer func() { err = errors.Join(err, finish()) }()
	}
	if a.Ask == askStream {
		return w.visitStreams(ctx, a, s, much)
	}
	if a.Changes > 0 {
		changing := w.change(ctx, a.environment(), a.Changes)
		defer func() { err = errors.Join(err, changing.stop(atLeast(a.Changes, much))) }()
	}
	return drive(ctx, a.plan(s.target(&a.scenario)), s.PID(), much, rate)
}

// atLeast is how many changes must have been made, half of those that were to be.
func atLeast(perSecond float64, much amount) int {
	return int(perSecond * (much.warmUp + much.measured).Seconds() / 2)
}
