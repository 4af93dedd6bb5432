package eval

import (
	"math"
	"slices"
	"time"
)

// clock notes how an evaluation depends on the time.
type clock struct {
	next    int64 // the first second, in unix time, at which a comparison may have another result; 0 if there is none
	unknown bool  // the time was read in a way that does not tell
	read    bool  // the time was read at all, unless unknown says so
}

// compared notes that the time now was compared with a number. The result stays the same until the time reaches the number, and from
// then on until it exceeds it.
func (k *clock) compared(now int64, limit float64) {
	const never = 1 << 53
	if !(limit >= float64(now) && limit < never) {
		return
	}
	next := int64(math.Ceil(limit))
	if next <= now {
		next = int64(math.Floor(limit)) + 1
	}
	if k.next == 0 || next < k.next {
		k.next = next
	}
}

// compareTime is a comparison of which some arguments are {"var": "$flagd.timestamp"}.
type compareTime struct {
	name      string
	apply     func(c *Context, arguments []value) value
	arguments []node
	isTime    []bool // parallel to arguments
}

// newCompareTime returns nil if none of the arguments is the time.
func newCompareTime(name string, apply func(*Context, []value) value, arguments []node) *compareTime {
	n := &compareTime{name: name, apply: apply}
	for _, argument := range arguments {
		_, isTime := argument.(readTimestamp)
		if isTime {
			argument = readComparedTimestamp{}
		}
		n.arguments, n.isTime = append(n.arguments, argument), append(n.isTime, isTime)
	}
	if !slices.Contains(n.isTime, true) {
		return nil
	}
	return n
}

func (n *compareTime) eval(c *Context) value {
	c.clock.read = true
	start := len(c.stack)
	for i, argument := range n.arguments {
		v := argument.eval(c)
		if v.kind == kindError {
			c.stack = c.stack[:start]
			return v
		}
		if !n.isTime[i] {
			if len(v.str) >= longText && !c.spendText(2*len(v.str)) {
				c.stack = c.stack[:start]
				return failure(tooMuchWork)
			}
			c.clock.compared(c.now, v.comparable())
		}
		c.stack = append(c.stack, v)
	}
	v := n.apply(c, c.stack[start:])
	c.stack = c.stack[:start]
	return v
}

// readComparedTimestamp is {"var": "$flagd.timestamp"} as an argument of compareTime, which knows when its result changes.
type readComparedTimestamp struct{}

func (readComparedTimestamp) eval(c *Context) value { return number(float64(c.now)) }

// result returns what Result says of the time.
func (k *clock) result() (dependent bool, until time.Time) {
	switch {
	case k.unknown:
		return true, time.Time{}
	case k.next != 0:
		return true, time.Unix(k.next, 0)
	default:
		return false, time.Time{}
	}
}
