package eval

// node is one compiled expression. Evaluating it never panics and never blocks. A result of kindError ends the evaluation; every node
// passes it on.
type node interface {
	eval(c *Context) value
	// explained returns a node that evaluates like this one, with the same code, and notes what it and its parts do as steps of an
	// explanation. This node stays as it is.
	explained() node
	// work returns how many nodes evaluating this one and its parts visits at most. Segments and iterations know theirs, so that no part
	// is counted again and again.
	work() work
}

// constant is an expression whose value is known.
type constant struct{ value value }

func (n constant) eval(*Context) value { return n.value }

// elements is an array literal with parts that must be evaluated.
type elements []node

func (n elements) eval(c *Context) value {
	items := make([]value, len(n))
	for i, item := range n {
		items[i] = item.eval(c)
		if items[i].kind == kindError {
			return items[i]
		}
	}
	return array(items)
}

// call applies an operator to a list of arguments, all of which are evaluated first.
type call struct {
	name      string
	apply     func(c *Context, arguments []value) value
	arguments []node
}

func (n *call) eval(c *Context) value {
	start, size := len(c.stack), 0
	for _, argument := range n.arguments {
		v := argument.eval(c)
		if v.kind == kindError {
			c.stack = c.stack[:start]
			return v
		}
		size += len(v.str)
		c.stack = append(c.stack, v)
	}
	if size >= longText && !c.spendText(size) {
		return failure(tooMuchWork)
	}
	v := n.apply(c, c.stack[start:])
	c.stack = c.stack[:start]
	return v
}

// callOne applies an operator to arguments that stand in the document as one expression instead of a list.
type callOne struct {
	name     string
	list     func(c *Context, arguments []value) value
	single   func(c *Context, argument value) value
	argument node
}

func (n *callOne) eval(c *Context) value {
	v := n.argument.eval(c)
	switch v.kind {
	case kindError:
		return v
	case kindArray:
		if !c.spendTexts(v.ref.items) {
			return failure(tooMuchWork)
		}
		return n.list(c, v.ref.items)
	default:
		if len(v.str) >= longText && !c.spendText(len(v.str)) {
			return failure(tooMuchWork)
		}
		return n.single(c, v)
	}
}

// isConstant returns the value of n if it is known.
func isConstant(n node) (value, bool) {
	k, ok := n.(constant)
	return k.value, ok
}
