package eval

import (
	"math"

	"github.com/twmb/murmur3"
)

// maxWeight bounds every weight of fractional, and their sum.
const maxWeight = math.MaxInt32

// fractional is {"fractional": [seed, [variant, weight], ...]} with constant buckets: generation 2 of flagd's operator.
type fractional struct {
	seed     node // nil: only the implicit seed
	implicit implicitSeed
	buckets  buckets
	// general handles a seed that turns out to be something else than a string or null.
	general *fractionalComputed
}

// bucket is one share of a distribution. end is the sum of all weights up to and including its own.
type bucket struct {
	variant value
	end     uint64
}

// buckets is a distribution. The end of the last bucket is the sum of all weights.
type buckets []bucket

func (n *fractional) eval(c *Context) value {
	if n.seed == nil {
		return n.implicitly(c)
	}
	switch seed := n.seed.eval(c); seed.kind {
	case kindError:
		return seed
	case kindString:
		if !n.implicit.available(c) {
			return value{}
		}
		return n.buckets.pick(murmur3.StringSum32(seed.str))
	case kindNull:
		return n.implicitly(c)
	default:
		return n.general.eval(c)
	}
}

func (n *fractional) implicitly(c *Context) value {
	hash, ok := n.implicit.hash(c)
	if !ok {
		return value{}
	}
	return n.buckets.pick(hash)
}

// pick returns the variant of the bucket that hash falls into, and null if all weights are 0. The hash is mapped to [0, sum) by
// multiplication, as flagd does since its fractional generation 2.
func (b buckets) pick(hash uint32) value {
	if len(b) == 0 {
		return value{}
	}
	position := (uint64(hash) * b[len(b)-1].end) >> 32
	for i := range b {
		if position < b[i].end {
			return b[i].variant
		}
	}
	return value{}
}

// implicitSeed hashes the flag's salt followed by the targeting key, for distributions that name no seed.
type implicitSeed struct {
	depth        int  // 0: the evaluation context; n: the element of the n-th iteration around
	targetingKey node // reads the targeting key at that depth
	flagKey      node // reads the flag key there; nil at depth 0
}

// available reports whether fractional works at this place at all: inside an iteration it needs elements that are objects.
func (s *implicitSeed) available(c *Context) bool {
	return s.depth == 0 || c.scopes[s.depth-1].kind == kindObject
}

// hash returns the hash of the implicit seed, or false if there is no targeting key.
func (s *implicitSeed) hash(c *Context) (uint32, bool) {
	if !s.available(c) {
		return 0, false
	}
	key := s.targetingKey.eval(c)
	if key.kind != kindString || key.str == "" {
		return 0, false
	}
	salt := ""
	if s.depth == 0 {
		salt = c.flag.salt
	} else if v := s.flagKey.eval(c); v.kind == kindString {
		salt = v.str
	}
	return c.hashInput(salt, key.str), true
}

// hashInput hashes what fractional distributes by. All implicit seeds pass through here.
func (c *Context) hashInput(salt, targetingKey string) uint32 {
	start := len(c.scratch)
	c.scratch = append(append(c.scratch, salt...), targetingKey...)
	hash := murmur3.Sum32(c.scratch[start:])
	c.scratch = c.scratch[:start]
	return hash
}

// fractionalComputed is fractional with arguments that are known only when the rule runs.
type fractionalComputed struct {
	arguments node
	implicit  implicitSeed
}

func (n *fractionalComputed) eval(c *Context) value {
	arguments := n.arguments.eval(c)
	if arguments.kind == kindError {
		return arguments
	}
	items := arguments.items()
	if len(items) == 0 || !n.implicit.available(c) {
		return value{}
	}
	var hash uint32
	if items[0].kind == kindString {
		hash = murmur3.StringSum32(items[0].str)
		items = items[1:]
	} else {
		if items[0].kind == kindNull {
			items = items[1:]
		}
		var ok bool
		if hash, ok = n.implicit.hash(c); !ok {
			return value{}
		}
	}
	b, ok := newBuckets(items)
	if !ok {
		return value{}
	}
	return b.pick(hash)
}

// newBuckets reads a distribution from [variant, weight] pairs. ok is false where flagd refuses it.
func newBuckets(items []value) (b buckets, ok bool) {
	sum := uint64(0)
	for _, item := range items {
		variant, weight, ok := newBucket(item)
		if !ok {
			return nil, false
		}
		sum += weight
		b = append(b, bucket{variant: variant, end: sum})
	}
	return b, sum <= maxWeight
}

func newBucket(item value) (variant value, weight uint64, ok bool) {
	parts := item.items()
	if len(parts) == 0 || parts[0].kind == kindArray || parts[0].kind == kindObject {
		return value{}, 0, false
	}
	if len(parts) == 1 || parts[1].kind == kindNull {
		return parts[0], 1, true
	}
	w := parts[1]
	if w.kind != kindNumber || w.num != math.Trunc(w.num) || w.num > maxWeight || w.num < math.MinInt64 {
		return value{}, 0, false
	}
	return parts[0], uint64(max(w.num, 0)), true
}
