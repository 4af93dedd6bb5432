package figures_test

import (
	"testing"
	"time"

	"github.com/flagside/flagside/internal/figures"
)

func TestMilliseconds(t *testing.T) {
	hundred := make(figures.Durations, 100)
	for i := range hundred {
		hundred[99-i] = time.Duration(i+1) * time.Millisecond
	}
	f := func(d figures.Durations, p int, want float64) {
		t.Helper()
		if got := d.Milliseconds(p); got != want {
			t.Errorf("percentile %d of %d values is %v, want %v", p, len(d), got, want)
		}
	}
	f(nil, 50, 0)
	f(hundred, 0, 1)
	f(hundred, 50, 50)
	f(hundred, 99, 99)
	f(hundred, 100, 100)
	f(hundred[:1], 99, 100)
}
