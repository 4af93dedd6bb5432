package eval

import "math"

// and is {"and": [...]}: the first argument that is false, or the last.
type and []node

func (n and) eval(c *Context) value {
	var last value
	for _, argument := range n {
		if last = argument.eval(c); !last.truthy() {
			return last
		}
	}
	return last
}

// or is {"or": [...]}: the first argument that is true, or the last.
type or []node

func (n or) eval(c *Context) value {
	var last value
	for _, argument := range n {
		if last = argument.eval(c); last.kind == kindError || last.truthy() {
			return last
		}
	}
	return last
}

// conditional is {"if": [...]} and {"?:": [...]}: pairs of condition and result, and perhaps a result for all other cases.
type conditional struct {
	conditions []node
	results    []node // one more than conditions
	places     []int  // parallel to results: where they stand in the document's list of arguments
	outermost  bool   // it is the whole rule of a flag, so that its results are what Result.Rule counts
}

func (n *conditional) eval(c *Context) value {
	for i, condition := range n.conditions {
		switch v := condition.eval(c); {
		case v.kind == kindError:
			return v
		case v.truthy():
			return n.take(c, i)
		}
	}
	return n.take(c, len(n.conditions))
}

// take evaluates a result, after what it notes which one it was: evaluating it may evaluate other conditionals, but none that is outermost.
func (n *conditional) take(c *Context, i int) value {
	if n.outermost {
		c.rule = uint16(min(n.places[i]/2+1, math.MaxUint16))
	}
	return n.results[i].eval(c)
}

// branch is a result of a conditional that may be data which looks like a rule.
type branch struct{ result node }

func (n branch) eval(c *Context) value {
	v := n.result.eval(c)
	if v.kind == kindObject && v.executable() {
		return failure(dataAsRule)
	}
	return v
}

// not is {"!": x} for one argument.
type not struct{ argument node }

func (n not) eval(c *Context) value {
	v := n.argument.eval(c)
	if v.kind == kindError {
		return v
	}
	return boolean(!v.truthy())
}

// truth is {"!!": x} for one argument.
type truth struct{ argument node }

func (n truth) eval(c *Context) value {
	v := n.argument.eval(c)
	if v.kind == kindError {
		return v
	}
	return boolean(v.truthy())
}

func applyNot(_ *Context, arguments []value) value { return boolean(!listTruth(arguments)) }

func applyTruth(_ *Context, arguments []value) value { return boolean(listTruth(arguments)) }

func notOne(_ *Context, v value) value { return boolean(!v.truthy()) }

func truthOne(_ *Context, v value) value { return boolean(v.truthy()) }

// listTruth is the truth of the first argument; an empty list is false.
func listTruth(arguments []value) bool { return len(arguments) > 0 && arguments[0].truthy() }
