package events

import (
	"errors"
	"time"

	"golang.org/x/time/rate"
)

const (
	// DefaultRate is how many exposures are reported a minute, and how many outcomes, over a longer time.
	DefaultRate = 1000
	// atOnce is of how many minutes the share may come at once, as after a start, when every subject is new.
	atOnce = 60
	// charged is for how many bytes of text an exposure or an outcome counts once.
	charged = 512
	// minAtOnce lets the largest request through at the smallest rate.
	minAtOnce = MaxEvents + MaxBody/charged
)

// ErrRate says that outcomes are not taken because too many were told in the last hour.
var ErrRate = errors.New("more events than the sidecar reports (--event-rate): tell fewer, or send these again later")

// allowance bounds how many exposures or outcomes are taken in the long run. It belongs to the recorder's lock.
type allowance struct{ limiter *rate.Limiter }

func newAllowance(perMinute int) allowance {
	return allowance{rate.NewLimiter(rate.Every(time.Minute/time.Duration(perMinute)), max(perMinute*atOnce, minAtOnce))}
}

func (a allowance) allows(now time.Time, charge int) bool { return a.limiter.AllowN(now, charge) }

// chargeOf returns for how many an exposure or an outcome with so many bytes of text counts.
func chargeOf(text int) int { return 1 + text/charged }
