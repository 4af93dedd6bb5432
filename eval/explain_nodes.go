package eval

// explainedAll explains every node of a list.
func explainedAll(nodes []node) []node {
	all := make([]node, len(nodes))
	for i := range nodes {
		all[i] = nodes[i].explained()
	}
	return all
}

// literal returns the step of a constant.
func literal(v value) Step {
	s := Step{}
	s.show(v)
	return s
}

func (n constant) explained() node { return &traced{node: n} }

func (n elements) explained() node { return &traced{node: elements(explainedAll(n))} }

func (n *call) explained() node {
	inner := &call{name: n.name, apply: n.apply, arguments: explainedAll(n.arguments)}
	return &traced{node: inner, shape: Step{Operator: n.name}}
}

func (n *callOne) explained() node {
	inner := *n
	inner.argument = n.argument.explained()
	return &traced{node: &inner, shape: Step{Operator: n.name}}
}

func (n *useSegment) explained() node {
	return &traced{node: &useSegment{rule: n.rule.explained()}, shape: Step{Operator: "$ref", Name: n.name, Revision: n.revision}}
}

func (n and) explained() node {
	return &traced{node: and(explainedAll(n)), shape: Step{Operator: "and"}}
}

func (n or) explained() node {
	return &traced{node: or(explainedAll(n)), shape: Step{Operator: "or"}}
}

func (n not) explained() node {
	return &traced{node: not{n.argument.explained()}, shape: Step{Operator: "!"}}
}

func (n truth) explained() node {
	return &traced{node: truth{n.argument.explained()}, shape: Step{Operator: "!!"}}
}

func (n *conditional) explained() node {
	inner := &conditional{conditions: explainedAll(n.conditions), places: n.places, outermost: n.outermost}
	for i, result := range n.results {
		inner.results = append(inner.results, taken{result: result.explained(), place: n.places[i]})
	}
	return &traced{node: inner, shape: Step{Operator: "if"}}
}

// explained of a branch is no step: the result is.
func (n branch) explained() node { return branch{n.result.explained()} }

func (n *fractional) explained() node {
	inner := *n
	if n.seed != nil {
		inner.seed = n.seed.explained()
	}
	return &traced{node: &inner, shape: Step{Operator: "fractional"}}
}

func (n *fractionalComputed) explained() node {
	inner := &fractionalComputed{arguments: n.arguments.explained(), implicit: n.implicit}
	return &traced{node: inner, shape: Step{Operator: "fractional"}}
}

func (n *traced) explained() node { return n }

func (n taken) explained() node { return n }
