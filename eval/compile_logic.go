package eval

import "strconv"

// listNeeded compiles to the failure of an operator that reads its list of arguments unevaluated but has none.
func (c *ruleCompiler) listNeeded(name string, arguments *syntax) node {
	reason := name + " needs a list of arguments"
	c.problem(arguments, reason, "write {"+strconv.Quote(name)+": [...]}")
	return constant{failure(reason)}
}

func (c *ruleCompiler) compileConditional(name string, arguments *syntax, in scope) node {
	if arguments.kind != kindArray {
		return c.listNeeded(name, arguments)
	}
	c.checkCount(name, arguments, 1, 0)
	n := &conditional{}
	count := len(arguments.items)
	for i := 0; i+1 < count; i += 2 {
		n.conditions = append(n.conditions, c.compile(&arguments.items[i], in))
		n.results = append(n.results, c.compileBranch(&arguments.items[i+1], in))
	}
	if count%2 == 1 {
		n.results = append(n.results, c.compileBranch(&arguments.items[count-1], in))
	} else {
		n.results = append(n.results, constant{})
	}
	return n.pruned()
}

func (c *ruleCompiler) compileBranch(s *syntax, in scope) node {
	n := c.compile(s, in)
	if v, ok := isConstant(n); ok && !(v.kind == kindObject && v.executable()) {
		return n
	}
	return branch{n}
}

// pruned drops the branches that are known never to be taken.
func (n *conditional) pruned() node {
	kept := &conditional{}
	for i, condition := range n.conditions {
		v, known := isConstant(condition)
		switch {
		case known && v.kind != kindError && !v.truthy():
			continue
		case known && v.kind != kindError:
			kept.results = append(kept.results, n.results[i])
			return kept.simple()
		}
		kept.conditions = append(kept.conditions, condition)
		kept.results = append(kept.results, n.results[i])
	}
	kept.results = append(kept.results, n.results[len(n.conditions)])
	return kept.simple()
}

func (n *conditional) simple() node {
	if len(n.conditions) == 0 {
		return n.results[0]
	}
	return n
}

func (c *ruleCompiler) compileJunction(name string, arguments *syntax, in scope) node {
	if arguments.kind != kindArray {
		return c.listNeeded(name, arguments)
	}
	c.checkCount(name, arguments, 1, 0)
	nodes := make([]node, len(arguments.items))
	for i := range arguments.items {
		nodes[i] = c.compile(&arguments.items[i], in)
	}
	if name == "and" {
		return folded(and(nodes), nodes...)
	}
	return folded(or(nodes), nodes...)
}

func (c *ruleCompiler) compileIteration(name string, arguments *syntax, in scope) node {
	if arguments.kind != kindArray {
		return c.listNeeded(name, arguments)
	}
	need := 2
	if name == "reduce" {
		need = 3
	}
	c.checkCount(name, arguments, need, need)
	if len(arguments.items) < need {
		return shortIteration(name, arguments)
	}
	it := iteration{subject: c.compileSubject(&arguments.items[0], in)}
	it.body = c.compileBody(name, &arguments.items[1], in)
	switch name {
	case "filter":
		return &filterNode{it}
	case "map":
		return &mapNode{it}
	case "all":
		return &allNode{it}
	case "reduce":
		return &reduceNode{iteration: it, initial: c.compileInitial(&arguments.items[2], in)}
	default:
		return &anyNode{iteration: it, negate: name == "none"}
	}
}

// shortIteration is what flagd's engine answers when an iteration has too few arguments.
func shortIteration(name string, arguments *syntax) node {
	switch {
	case name == "filter" || name == "map":
		return constant{array(nil)}
	case name == "reduce":
		return constant{number(0)}
	case len(arguments.items) == 1 && arguments.items[0].kind != kindObject && len(arguments.items[0].items) == 0:
		return constant{boolean(name == "none")}
	default:
		return constant{failure(name + " needs a list and a condition")}
	}
}

// compileSubject compiles the list of an iteration. A literal list is data; nothing but an operation is evaluated.
func (c *ruleCompiler) compileSubject(s *syntax, in scope) node {
	s = c.resolve(s)
	switch s.kind {
	case kindArray:
		return constant{s.value()}
	case kindObject:
		return c.compile(s, in)
	default:
		c.warning(s, "an iteration needs a list", "")
		return nil
	}
}

// compileInitial compiles the value that reduce starts with.
func (c *ruleCompiler) compileInitial(s *syntax, in scope) node {
	if s.kind == kindArray {
		return constant{s.value()}
	}
	return c.compile(s, in)
}

// compileBody compiles the body of an iteration. Which data a var in it reads differs by operator, as it does in flagd's engine.
func (c *ruleCompiler) compileBody(name string, s *syntax, in scope) node {
	body := in.around(name == "filter" || name == "none" || name == "some")
	if name == "all" || name == "some" {
		body.inner = []int{body.depth}
	}
	if name == "filter" || name == "map" {
		return c.compile(s, body)
	}
	if s.kind != kindObject {
		reason := name + " needs a condition"
		if name == "reduce" {
			reason = "reduce needs an operation"
		}
		c.problem(s, reason, "write an operation such as {\"==\": [{\"var\": \"\"}, 1]}")
		return constant{failure(reason)}
	}
	if operation, argument, ok := s.operator(); ok && operation == "var" && !relative(argument) && name != "reduce" {
		return c.compileBareVar(argument, body)
	}
	return c.compile(s, body)
}

// compileBareVar compiles {"var": name} as the whole condition of all, none and some. flagd's engine replaces it by the value that it
// finds and then takes that for a rule, which fails unless it is an object.
func (c *ruleCompiler) compileBareVar(argument *syntax, body scope) node {
	c.warning(argument, "var alone is no condition here, it fails for every value but null", "write {\"!!\": [{\"var\": ...}]}")
	depths := append(append([]int(nil), body.outer...), body.inner...)
	n := bareVar{last: c.compileVar(argument, scope{depth: body.depth})}
	for _, depth := range depths {
		n.substitutes = append(n.substitutes, c.compileVar(argument, scope{depth: depth}))
	}
	return n
}

type bareVar struct {
	substitutes []node
	last        node
}

func (n bareVar) eval(c *Context) value {
	for _, substitute := range n.substitutes {
		switch v := substitute.eval(c); {
		case v.kind == kindNull:
		case v.kind == kindError:
			return v
		case v.kind != kindObject || v.executable():
			return failure("var alone is no condition")
		default:
			return v
		}
	}
	return n.last.eval(c)
}
