package main

import (
	"context"
	"slices"
	"time"
)

// delay is how long after the answer of the admin API a client has told of the change.
type delay struct {
	client
	p50, p99 time.Duration
	err      error
}

// measuredChanges is how many changes a delay rests on.
const measuredChanges = 200

// measure returns the delay of each client that tells of changes, one after the other, so that they do not disturb each other.
func measure(ctx context.Context, s *system, all []language) (delays []delay, err error) {
	defer s.stop()
	if err := s.restart(ctx); err != nil {
		return nil, err
	}
	for _, l := range all {
		for _, c := range l.clients {
			if !c.silent && c.mode != "polling" {
				delays = append(delays, s.delays(ctx, c))
			}
		}
	}
	return delays, nil
}

func (s *system) delays(ctx context.Context, c client) delay {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	driver, err := c.open(starting, s)
	if err != nil {
		return delay{client: c, err: err}
	}
	defer driver.Close()
	var took []time.Duration
	for range measuredChanges {
		drain(driver)
		if _, err := s.change(ctx); err != nil {
			return delay{client: c, err: err}
		}
		begin := time.Now()
		if err := awaitChange(ctx, driver, 5*time.Second); err != nil {
			return delay{client: c, err: err}
		}
		took = append(took, time.Since(begin))
		time.Sleep(20 * time.Millisecond) // changes of people are apart
	}
	slices.Sort(took)
	return delay{client: c, p50: took[len(took)/2], p99: took[len(took)*99/100]}
}
