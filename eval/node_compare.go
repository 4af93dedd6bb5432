package eval

// compare is a comparison of two arguments.
type compare struct {
	name string
	test func(a, b value) bool
	a, b node
}

func (n *compare) eval(c *Context) value {
	a := n.a.eval(c)
	if a.kind == kindError {
		return a
	}
	b := n.b.eval(c)
	if b.kind == kindError {
		return b
	}
	if size := len(a.str) + len(b.str); size >= longText && !c.spendText(size) {
		return failure(tooMuchWork)
	}
	return boolean(n.test(a, b))
}

// equalsText is == and === with one constant string, the most common of all conditions.
type equalsText struct {
	argument node
	constant value
	strict   bool
	negate   bool
}

func (n *equalsText) eval(c *Context) value {
	v := n.argument.eval(c)
	switch {
	case v.kind == kindError:
		return v
	case v.kind == kindString:
		return boolean((v.str == n.constant.str) != n.negate)
	case n.strict:
		return boolean(n.negate)
	default: // no string, so nothing long is read but the constant
		return boolean(looselyEqual(v, n.constant) != n.negate)
	}
}

// between returns the operator for a chain of two or three arguments. Fewer are false, further ones are ignored unless there are
// exactly three.
func between(test func(a, b value) bool) func(*Context, []value) value {
	return func(_ *Context, arguments []value) value {
		switch len(arguments) {
		case 0, 1:
			return boolean(false)
		case 3:
			return boolean(test(arguments[0], arguments[1]) && test(arguments[1], arguments[2]))
		default:
			return boolean(test(arguments[0], arguments[1]))
		}
	}
}

// pair returns the operator for two arguments; fewer give the result short, further ones are ignored.
func pair(test func(a, b value) bool, short bool) func(*Context, []value) value {
	return func(_ *Context, arguments []value) value {
		if len(arguments) < 2 {
			return boolean(short)
		}
		return boolean(test(arguments[0], arguments[1]))
	}
}

func lessOrEqual(a, b value) bool { return less(a, b) || looselyEqual(a, b) }

func greater(a, b value) bool { return less(b, a) }

func greaterOrEqual(a, b value) bool { return less(b, a) || looselyEqual(b, a) }

func looselyDifferent(a, b value) bool { return !looselyEqual(a, b) }

func strictlyDifferent(a, b value) bool { return !strictlyEqual(a, b) }
