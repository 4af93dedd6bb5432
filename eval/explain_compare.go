package eval

// The conditions that were compiled for common arguments show the constant among their inputs, or how large it is.

func (n *compare) explained() node {
	inner := &compare{test: n.test, a: n.a.explained(), b: n.b.explained()}
	return &traced{node: inner, shape: Step{Operator: n.name}}
}

func (n *compareTime) explained() node {
	inner := &compareTime{apply: n.apply, arguments: explainedAll(n.arguments), isTime: n.isTime}
	return &traced{node: inner, shape: Step{Operator: n.name}}
}

func (n *equalsText) explained() node {
	inner := *n
	inner.argument = n.argument.explained()
	return &traced{node: &inner, shape: Step{Operator: n.operator(), Inputs: []Step{literal(n.constant)}}}
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

func (n *inSet) explained() node {
	inner := *n
	inner.needle = n.needle.explained()
	return &traced{node: &inner, shape: Step{Operator: "in", Elements: n.elements}}
}

func (n *affix) explained() node {
	inner := *n
	inner.argument = n.argument.explained()
	return &traced{node: &inner, shape: Step{Operator: n.name, Inputs: []Step{literal(text(n.constant))}}}
}

func (n *versionCompare) explained() node {
	inner := *n
	inner.argument = n.argument.explained()
	inputs := []Step{literal(text(n.operator)), literal(text(withoutV(n.constant)))}
	return &traced{node: &inner, shape: Step{Operator: "sem_ver", Inputs: inputs}}
}
