package main

import (
	"context"
	"fmt"
	"time"

	"github.com/flagside/flagside/internal/figures"
)

const (
	// asked is how many answers of each kind are timed.
	asked = 3000
	// apart keeps questions to the leader from waiting for each other: no more
	// than one in a millisecond is made.
	apart = 2 * time.Millisecond
)

// latency is how long answers took, one after the other.
type latency struct{ plain, confirmed figures.Durations }

// latency asks in turn for a flag that is answered from memory and for one that
// is confirmed first.
func (b *bench) latency(ctx context.Context) (latency, error) {
	var l latency
	for range asked {
		for key, into := range map[string]*figures.Durations{cached: &l.plain, fresh: &l.confirmed} {
			next := time.Now().Add(apart)
			begin := time.Now()
			answer, err := b.sidecar.Evaluate(ctx, key, `{}`)
			took := time.Since(begin)
			if err != nil || answer.Reason != "STATIC" {
				return l, fmt.Errorf("%s: %+v: %w", key, answer, err)
			}
			*into = append(*into, took)
			sleep(ctx, time.Until(next))
		}
	}
	return l, nil
}

// added returns what a confirmation adds to a percentile, in microseconds.
func (l latency) added(percentile int) float64 {
	return 1000 * (l.confirmed.Milliseconds(percentile) - l.plain.Milliseconds(percentile))
}

func (l latency) print() {
	for _, percentile := range []int{50, 99} {
		fmt.Printf("%-44s %8.0f us, of %.0f us\n", fmt.Sprintf("added by always_fresh, p%d", percentile),
			l.added(percentile), 1000*l.confirmed.Milliseconds(percentile))
	}
}
