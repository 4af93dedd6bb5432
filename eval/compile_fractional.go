package eval

// compileFractional compiles {"fractional": [seed, [variant, weight], ...]}.
func (c *ruleCompiler) compileFractional(arguments *syntax, in scope) node {
	implicit := c.compileImplicitSeed(in)
	if arguments.kind != kindArray {
		if arguments.kind != kindObject {
			c.problem(arguments, "fractional needs a list of buckets", "write [[\"variant\", weight], ...]")
		}
		return &fractionalComputed{arguments: c.compile(arguments, in), implicit: implicit}
	}
	seed, shares := splitSeed(arguments)
	c.checkFractional(arguments, seed, shares)
	nodes := c.compileAll(arguments.items, in)
	general := &fractionalComputed{arguments: listOf(nodes), implicit: implicit}
	n := &fractional{implicit: implicit}
	if seed != nil {
		n.seed, nodes = nodes[0], nodes[1:]
	}
	values := make([]value, len(nodes))
	for i := range nodes {
		v, ok := isConstant(nodes[i])
		if !ok {
			return general
		}
		values[i] = v
	}
	var ok bool
	if n.buckets, ok = newBuckets(values); !ok {
		return general
	}
	return n
}

// splitSeed separates the seed from the buckets. An array in the first place is a bucket.
func splitSeed(arguments *syntax) (seed *syntax, shares []syntax) {
	if len(arguments.items) > 0 && arguments.items[0].kind != kindArray {
		return &arguments.items[0], arguments.items[1:]
	}
	return nil, arguments.items
}

func (c *ruleCompiler) compileImplicitSeed(in scope) implicitSeed {
	seed := implicitSeed{depth: in.depth, targetingKey: c.readPath([]string{"targetingKey"}, in.depth)}
	if in.depth > 0 {
		seed.flagKey = c.readPath([]string{flagdProperties, "flagKey"}, in.depth)
	}
	return seed
}

// checkFractional finds constants that make the distribution null for every context.
func (c *ruleCompiler) checkFractional(arguments, seed *syntax, shares []syntax) {
	if seed != nil {
		switch seed.kind {
		case kindString:
			c.warning(seed, "the seed is the same for everybody, so everybody gets the same variant", "use {\"var\": ...} or leave it out")
		case kindNumber, kindBool:
			c.problem(seed, "the seed of fractional must be a string", "use {\"cat\": [...]} to make one")
		default:
		}
	}
	if len(shares) == 0 {
		c.problem(arguments, "fractional has no buckets", "write [\"variant\", weight] for each")
	}
	sum, computed := 0.0, false
	for i := range shares {
		sum += c.checkShare(&shares[i])
		computed = computed || shares[i].computedWeight()
	}
	if len(shares) > 0 && sum == 0 && !computed {
		c.problem(arguments, "all weights of fractional are 0, so it never chooses a variant", "give a bucket a weight of at least 1")
	}
	if sum > maxWeight {
		c.problem(arguments, "the sum of the weights exceeds 2147483647", "use smaller weights")
	}
}

// computedWeight reports whether only data decides the weight of a bucket, or another problem is reported for it.
func (s *syntax) computedWeight() bool {
	if s.kind != kindArray || len(s.items) == 0 {
		return true
	}
	return len(s.items) > 1 && (s.items[1].kind != kindNumber || s.items[1].number() > 0)
}

// checkShare checks one bucket and returns its weight as far as it is known.
func (c *ruleCompiler) checkShare(share *syntax) float64 {
	if share.kind == kindObject {
		return 0
	}
	if share.kind != kindArray || len(share.items) == 0 {
		c.problem(share, "a bucket of fractional must be [variant, weight]", "")
		return 0
	}
	if share.items[0].kind == kindArray {
		c.problem(&share.items[0], "a bucket of fractional must begin with the name of a variant", "")
	}
	if len(share.items) == 1 {
		return 1
	}
	return c.checkWeight(&share.items[1])
}

func (c *ruleCompiler) checkWeight(weight *syntax) float64 {
	switch weight.kind {
	case kindNull:
		return 1
	case kindObject:
		return 0
	case kindNumber:
	default:
		c.problem(weight, "a weight must be a whole number", "write it without quotes")
		return 0
	}
	switch n := weight.number(); {
	case n != float64(int64(n)):
		c.problem(weight, "a weight must be a whole number, not "+weight.text, "multiply all weights by 10 or 100")
		return 0
	case n > maxWeight:
		c.problem(weight, "a weight must not exceed 2147483647", "use smaller weights")
		return 0
	case n < 0:
		c.warning(weight, "a negative weight counts as 0", "")
		return 0
	default:
		return n
	}
}
