package eval

import "strings"

// decorated returns a node that evaluates like n, with the same code, and traces itself and its parts. n is not modified.
func decorated(n node) node {
	shape, parts := Step{}, n
	switch n := n.(type) {
	case constant:
	case elements:
		parts = elements(decoratedAll(n))
	case *call:
		shape.Operator, parts = n.name, &call{name: n.name, apply: n.apply, arguments: decoratedAll(n.arguments)}
	case *callOne:
		inner := *n
		inner.argument = decorated(n.argument)
		shape.Operator, parts = n.name, &inner
	case *useSegment:
		shape = Step{Operator: "$ref", Name: n.name, Revision: n.revision}
		parts = &useSegment{rule: decorated(n.rule)}
	case *conditional:
		shape.Operator, parts = "if", n.decorated()
	case branch:
		return branch{decorated(n.result)}
	case and:
		shape.Operator, parts = "and", and(decoratedAll(n))
	case or:
		shape.Operator, parts = "or", or(decoratedAll(n))
	case not:
		shape.Operator, parts = "!", not{decorated(n.argument)}
	case truth:
		shape.Operator, parts = "!!", truth{decorated(n.argument)}
	case *fractional:
		shape.Operator, parts = "fractional", n.decorated()
	case *fractionalComputed:
		shape.Operator, parts = "fractional", &fractionalComputed{arguments: decorated(n.arguments), implicit: n.implicit}
	default:
		return decoratedRest(n)
	}
	return &traced{node: parts, shape: shape}
}

func decoratedAll(nodes []node) []node {
	all := make([]node, len(nodes))
	for i := range nodes {
		all[i] = decorated(nodes[i])
	}
	return all
}

func decoratedRest(n node) node {
	if shape, parts, ok := decoratedTest(n); ok {
		return &traced{node: parts, shape: shape}
	}
	if shape, parts, ok := decoratedRead(n); ok {
		return &traced{node: parts, shape: shape}
	}
	if shape, parts, ok := decoratedIteration(n); ok {
		return &traced{node: parts, shape: shape}
	}
	return decoratedSubstitute(n)
}

func (n *conditional) decorated() *conditional {
	inner := &conditional{conditions: decoratedAll(n.conditions)}
	for i, result := range n.results {
		inner.results = append(inner.results, taken{result: decorated(result), place: n.places[i]})
	}
	return inner
}

func (n *fractional) decorated() *fractional {
	inner := *n
	if n.seed != nil {
		inner.seed = decorated(n.seed)
	}
	return &inner
}

// literal returns the step of a constant.
func literal(v value) Step {
	s := Step{}
	s.show(v)
	return s
}

// decoratedTest decorates the conditions that were compiled for common arguments.
func decoratedTest(n node) (shape Step, parts node, ok bool) {
	switch n := n.(type) {
	case *compare:
		return Step{Operator: n.name}, &compare{test: n.test, a: decorated(n.a), b: decorated(n.b)}, true
	case *compareTime:
		return Step{Operator: n.name}, &compareTime{apply: n.apply, arguments: decoratedAll(n.arguments), isTime: n.isTime}, true
	case *equalsText:
		inner := *n
		inner.argument = decorated(n.argument)
		return Step{Operator: n.operator(), Inputs: []Step{literal(n.constant)}}, &inner, true
	case *inSet:
		inner := *n
		inner.needle = decorated(n.needle)
		return Step{Operator: "in", Elements: n.elements}, &inner, true
	case *affix:
		inner := *n
		inner.argument = decorated(n.argument)
		return Step{Operator: n.name, Inputs: []Step{literal(text(n.constant))}}, &inner, true
	case *versionCompare:
		inner := *n
		inner.argument = decorated(n.argument)
		return Step{Operator: "sem_ver", Inputs: []Step{literal(text(n.operator)), literal(text(withoutV(n.constant)))}}, &inner, true
	default:
		return Step{}, nil, false
	}
}

func (n *equalsText) operator() string {
	operator := "="
	if n.negate {
		operator = "!"
	}
	if n.strict {
		operator += "="
	}
	return operator + "="
}

// decoratedRead decorates what reads data.
func decoratedRead(n node) (shape Step, parts node, ok bool) {
	shape.Operator = "var"
	switch n := n.(type) {
	case *readSlot:
		shape.Name = n.name
		return shape, n, true
	case readWhole:
		return shape, n, true
	case readTimestamp, readComparedTimestamp:
		shape.Name = flagdProperties + ".timestamp"
		return shape, n, true
	case readFlagKey:
		shape.Name = flagdProperties + ".flagKey"
		return shape, n, true
	case readProperties:
		shape.Name = flagdProperties
		return shape, n, true
	case readScope:
		shape.Name = strings.Join(n.path, ".")
		return shape, n, true
	case withDefault:
		return shape, withDefault{read: decorated(n.read), fallback: decorated(n.fallback)}, true
	case readComputed:
		return shape, readComputed{depth: n.depth, name: decorated(n.name)}, true
	case *missing:
		return Step{Operator: "missing"}, n.decorated(), true
	case *missingSome:
		inputs := []Step{literal(number(float64(n.needed)))}
		return Step{Operator: "missing_some", Inputs: inputs}, &missingSome{needed: n.needed, names: *n.names.decorated()}, true
	case missingComputed:
		return Step{Operator: "missing"}, missingComputed{depth: n.depth, names: decorated(n.names)}, true
	case missingSomeComputed:
		return Step{Operator: "missing_some"}, missingSomeComputed{depth: n.depth, arguments: decorated(n.arguments)}, true
	default:
		return Step{}, nil, false
	}
}

func (n *missing) decorated() *missing { return &missing{names: n.names, reads: decoratedAll(n.reads)} }

// decoratedIteration decorates the operators over the elements of a list. The body is a step for each element.
func decoratedIteration(n node) (shape Step, parts node, ok bool) {
	switch n := n.(type) {
	case *filterNode:
		return Step{Operator: "filter"}, &filterNode{n.decorated()}, true
	case *mapNode:
		return Step{Operator: "map"}, &mapNode{n.decorated()}, true
	case *allNode:
		return Step{Operator: "all"}, &allNode{n.decorated()}, true
	case *anyNode:
		operator := "some"
		if n.negate {
			operator = "none"
		}
		return Step{Operator: operator}, &anyNode{iteration: n.iteration.decorated(), negate: n.negate}, true
	case *reduceNode:
		return Step{Operator: "reduce"}, &reduceNode{iteration: n.iteration.decorated(), initial: decorated(n.initial)}, true
	default:
		return Step{}, nil, false
	}
}

func (n *iteration) decorated() iteration {
	inner := iteration{body: decorated(n.body), each: n.each}
	if n.subject != nil {
		inner.subject = decorated(n.subject)
	}
	return inner
}

// decoratedSubstitute decorates the parts of nodes that are no operators: they choose among several reads.
func decoratedSubstitute(n node) node {
	switch n := n.(type) {
	case outerFirst:
		return outerFirst{outer: decorated(n.outer), inner: decorated(n.inner)}
	case substituted:
		return substituted{reads: decoratedAll(n.reads), otherwise: decorated(n.otherwise)}
	case bareVar:
		return bareVar{substitutes: decoratedAll(n.substitutes), last: decorated(n.last)}
	default:
		return &traced{node: n}
	}
}
