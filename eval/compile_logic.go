package eval

import (
	"slices"
	"strconv"
)

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
			kept.add(n.results[i], 2*i+1)
			return kept.simple()
		}
		kept.conditions = append(kept.conditions, condition)
		kept.add(n.results[i], 2*i+1)
	}
	kept.add(n.results[len(n.conditions)], 2*len(n.conditions))
	return kept.simple()
}

// add appends a result that stands at a place of the document's list of arguments.
func (n *conditional) add(result node, place int) {
	n.results = append(n.results, result)
	n.places = append(n.places, place)
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
	nodes := c.compileAll(arguments.items, in)
	if name == "and" {
		return c.fold(and(nodes), nodes...)
	}
	return c.fold(or(nodes), nodes...)
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
		return c.compileShort(name, arguments, in)
	}
	it := iteration{subject: c.compileSubject(&arguments.items[0], in)}
	it.body = c.compileBody(name, &arguments.items[1], in)
	it.price(iterationOverhead(name))
	c.checkWork(arguments, it.priced, name)
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

// iterationOverhead is what a step of an iteration costs beside its body, in nodes.
func iterationOverhead(name string) int {
	switch name {
	case "reduce":
		return 8 // it makes an object
	case "filter", "map":
		return 4 // it may become part of a list
	default:
		return 1
	}
}

// compileShort compiles an iteration that has too few arguments, to what flagd's engine makes of it.
func (c *ruleCompiler) compileShort(name string, arguments *syntax, in scope) node {
	switch {
	case name == "filter" || name == "map":
		return constant{array(nil)}
	case name == "reduce":
		return constant{number(0)}
	case len(arguments.items) == 0:
		return constant{failure(name + " needs a list and a condition")}
	}
	missing := constant{failure(name + " needs a list and a condition")}
	it := iteration{subject: c.compileSubject(&arguments.items[0], in), body: missing}
	it.price(iterationOverhead(name))
	if name == "all" {
		return &allNode{it}
	}
	return &anyNode{iteration: it, negate: name == "none"}
}

// compileSubject compiles the list of an iteration. A literal list is data; nothing but an operation is evaluated.
func (c *ruleCompiler) compileSubject(s *syntax, in scope) node {
	s = c.resolve(s)
	switch s.kind {
	case kindArray:
		return constant{s.value()}
	case kindObject:
		return c.compileSubjectOperation(s, in)
	default:
		c.problem(s, "an iteration needs a list", "write a list, or {\"var\": ...} for an attribute that is one")
		return nil
	}
}

// compileSubjectOperation compiles the list of an iteration that is an operation. Inside another iteration, a var that flagd's engine
// replaces beforehand counts as a literal, so a single value there is no list but also no mistake.
func (c *ruleCompiler) compileSubjectOperation(s *syntax, in scope) node {
	n := c.compile(s, in)
	name, argument, ok := s.operator()
	depths := slices.Concat(in.outer, in.inner)
	if !ok || name != "var" || relative(argument) || len(depths) == 0 {
		return n
	}
	it := substituted{otherwise: c.compileRead(argument, in, in.depth)}
	for _, depth := range depths {
		it.reads = append(it.reads, c.compileRead(argument, scope{depth: depth}, depth))
	}
	return it
}

// substituted is the list of an inner iteration: what reads find first counts as a literal.
type substituted struct {
	reads     []node
	otherwise node
}

func (n substituted) eval(c *Context) value {
	for _, read := range n.reads {
		switch v := read.eval(c); {
		case v.kind == kindNull:
		case v.kind == kindArray || v.kind == kindError:
			return v
		case v.kind != kindObject:
			return value{}
		case v.executable():
			return failure(dataAsRule)
		default:
			return v
		}
	}
	return n.otherwise.eval(c)
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
	if operation, argument, ok := s.operator(); ok && operation == "var" && !relative(argument) {
		return c.compileBareVar(argument, body)
	}
	return c.compile(s, body)
}

// compileBareVar compiles {"var": name} as the whole body of all, none, some and reduce. Where flagd's engine replaces a var beforehand,
// it then takes the value that it found for a rule, which fails unless it is an object.
func (c *ruleCompiler) compileBareVar(argument *syntax, body scope) node {
	depths := slices.Concat(body.outer, body.inner)
	if len(depths) > 0 {
		c.problem(argument, "var alone is no condition here, it fails for every value but null", "write {\"!!\": [{\"var\": ...}]}")
	}
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
