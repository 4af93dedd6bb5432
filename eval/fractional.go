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
		return n.implicit.distribute(c, n.buckets)
	}
	switch seed := n.seed.eval(c); seed.kind {
	case kindError:
		return seed
	case kindString:
		if !n.implicit.available(c) {
			return value{}
		}
		return c.distribute(n.buckets, seed.str)
	case kindNull:
		return n.implicit.distribute(c, n.buckets)
	default:
		return n.withBucket(c, seed)
	}
}

// withBucket distributes when what stands in the place of the seed turns out to be no seed: it is the first bucket then, or a mistake.
func (n *fractional) withBucket(c *Context, first value) value {
	if !n.implicit.available(c) {
		return value{}
	}
	variant, weight, ok := newBucket(first)
	if !ok || weight+n.buckets.sum() > maxWeight {
		return value{}
	}
	all := make(buckets, 0, 1+len(n.buckets))
	all = append(all, bucket{variant: variant, end: weight})
	for _, b := range n.buckets {
		all = append(all, bucket{variant: b.variant, end: weight + b.end})
	}
	return n.implicit.distribute(c, all)
}

// distribute distributes by the implicit seed, and is null if there is none.
func (s *implicitSeed) distribute(c *Context, b buckets) value {
	input, ok := s.input(c)
	if !ok {
		return value{}
	}
	return c.distribute(b, input)
}

// distribute returns the variant of the bucket that the hash of input falls into, and null if all weights are 0.
func (c *Context) distribute(b buckets, input string) value {
	if len(input) >= longText && !c.spendText(len(input)) {
		return failure(tooMuchWork)
	}
	hash := hashInput(input)
	position := b.position(hash)
	if c.trace != nil {
		c.trace.distributed(input, hash, position, b.sum())
	}
	return b.at(position)
}

// hashInput hashes what fractional distributes by.
func hashInput(input string) uint32 { return murmur3.StringSum32(input) }

// sum returns the sum of all weights.
func (b buckets) sum() uint64 {
	if len(b) == 0 {
		return 0
	}
	return b[len(b)-1].end
}

// position maps a hash to [0, sum) by multiplication, as flagd does since its fractional generation 2.
func (b buckets) position(hash uint32) uint64 { return uint64(hash) * b.sum() >> 32 }

// at returns the variant whose bucket a position falls into, null if there is none.
func (b buckets) at(position uint64) value {
	for i := range b {
		if position < b[i].end {
			return b[i].variant
		}
	}
	return value{}
}

// implicitSeed is the flag's salt followed by the targeting key, for distributions that name no seed.
type implicitSeed struct {
	depth        int  // 0: the evaluation context; n: the element of the n-th iteration around
	targetingKey node // reads the targeting key at that depth
	flagKey      node // reads the flag key there; nil at depth 0
}

// available reports whether fractional works at this place at all: inside an iteration it needs elements that are objects.
func (s *implicitSeed) available(c *Context) bool {
	return s.depth == 0 || c.scopes[s.depth-1].kind == kindObject
}

// input returns the implicit seed in the Context's scratch memory, or false if there is no targeting key.
func (s *implicitSeed) input(c *Context) (string, bool) {
	if !s.available(c) {
		return "", false
	}
	key := s.targetingKey.eval(c)
	if key.kind != kindString || key.str == "" {
		return "", false
	}
	salt := ""
	if s.depth == 0 {
		salt = c.flag.salt
	} else if v := s.flagKey.eval(c); v.kind == kindString {
		salt = v.str
	}
	start := len(c.scratch)
	c.scratch = append(append(c.scratch, salt...), key.str...)
	return alias(c.scratch[start:]), true
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
	var input string
	if items[0].kind == kindString {
		input = items[0].str
		items = items[1:]
	} else {
		if items[0].kind == kindNull {
			items = items[1:]
		}
		var ok bool
		if input, ok = n.implicit.input(c); !ok {
			return value{}
		}
	}
	if !c.spend(len(items)) {
		return failure(tooMuchWork)
	}
	b, ok := newBuckets(items)
	if !ok {
		return value{}
	}
	return c.distribute(b, input)
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
