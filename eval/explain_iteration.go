package eval

// The operators over the elements of a list have a step of the body for each element.

func (n *iteration) withSteps() iteration {
	inner := iteration{body: n.body.explained(), each: n.each}
	if n.subject != nil {
		inner.subject = n.subject.explained()
	}
	return inner
}

func (n *filterNode) explained() node {
	return &traced{node: &filterNode{n.withSteps()}, shape: Step{Operator: "filter"}}
}

func (n *mapNode) explained() node {
	return &traced{node: &mapNode{n.withSteps()}, shape: Step{Operator: "map"}}
}

func (n *allNode) explained() node {
	return &traced{node: &allNode{n.withSteps()}, shape: Step{Operator: "all"}}
}

func (n *anyNode) explained() node {
	operator := "some"
	if n.negate {
		operator = "none"
	}
	return &traced{node: &anyNode{iteration: n.withSteps(), negate: n.negate}, shape: Step{Operator: operator}}
}

func (n *reduceNode) explained() node {
	inner := &reduceNode{iteration: n.withSteps(), initial: n.initial.explained()}
	return &traced{node: inner, shape: Step{Operator: "reduce"}}
}
