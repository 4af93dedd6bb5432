package linearizable_test

import (
	"testing"
	"time"

	"github.com/flagside/flagside/internal/linearizable"
)

const limit = 10 * time.Second

func write(r *linearizable.Register, value int, outcome linearizable.Outcome) {
	r.Write(0, value, func() linearizable.Outcome { return outcome })
}

func read(r *linearizable.Register, values ...int) {
	for _, value := range values {
		r.Read(1, func() (int, bool) { return value, true })
	}
}

func TestHistories(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*linearizable.Register)
		ok   bool
	}{
		{"nothing", func(*linearizable.Register) {}, true},
		{"the last write is read", func(r *linearizable.Register) {
			read(r, 0)
			write(r, 1, linearizable.Done)
			write(r, 2, linearizable.Done)
			read(r, 2, 2)
		}, true},
		{"an older write is read", func(r *linearizable.Register) {
			write(r, 1, linearizable.Done)
			write(r, 2, linearizable.Done)
			read(r, 1)
		}, false},
		{"a write that is not known happens late", func(r *linearizable.Register) {
			write(r, 1, linearizable.Done)
			write(r, 2, linearizable.Unknown)
			read(r, 1, 2)
		}, true},
		{"a write that is not known happens and is undone", func(r *linearizable.Register) {
			write(r, 1, linearizable.Done)
			write(r, 2, linearizable.Unknown)
			read(r, 1, 2, 1)
		}, false},
		{"a write that is not known never happens", func(r *linearizable.Register) {
			write(r, 2, linearizable.Unknown)
			write(r, 3, linearizable.Done)
			read(r, 3)
		}, true},
		{"a write that is not known is read before it begins", func(r *linearizable.Register) {
			read(r, 1)
			write(r, 1, linearizable.Unknown)
		}, false},
		{"a refused write is read", func(r *linearizable.Register) {
			write(r, 1, linearizable.Refused)
			read(r, 1)
		}, false},
		{"reads at the same time as a write", func(r *linearizable.Register) {
			r.Write(0, 1, func() linearizable.Outcome {
				read(r, 0, 1)
				return linearizable.Done
			})
			read(r, 1)
		}, true},
		{"reads at the same time as a write go back", func(r *linearizable.Register) {
			r.Write(0, 1, func() linearizable.Outcome {
				read(r, 1, 0)
				return linearizable.Done
			})
		}, false},
	} {
		r := linearizable.New()
		c.do(r)
		if err := r.Check(limit); (err == nil) != c.ok {
			t.Errorf("%s: %v, want that it is accepted: %t", c.name, err, c.ok)
		}
	}
}

func TestAFailedReadIsNone(t *testing.T) {
	r := linearizable.New()
	if _, ok := r.Read(0, func() (int, bool) { return 7, false }); ok || r.Len() != 0 {
		t.Errorf("it counts: %t, %d operations", ok, r.Len())
	}
}
