// Package progress shows how far work is that lasts. The work finds its meter in its context, and needs to know nothing of what is shown where.
package progress

import "context"

// Meter shows how far work is. It is for concurrent use.
type Meter interface {
	// Expect tells how many pieces are still to be done.
	Expect(pieces int)
	// Add tells that so many more are done.
	Add(pieces int)
}

type key struct{}

// With returns a context whose work is shown by a meter.
func With(ctx context.Context, m Meter) context.Context { return context.WithValue(ctx, key{}, m) }

// Of returns the meter of a context; without one, what is told is lost.
func Of(ctx context.Context) Meter {
	if m, ok := ctx.Value(key{}).(Meter); ok {
		return m
	}
	return unseen{}
}

type unseen struct{}

// Expect implements Meter.
func (unseen) Expect(int) {}

// Add implements Meter.
func (unseen) Add(int) {}
