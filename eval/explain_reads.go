package eval

import "strings"

// tracedVar is a step of var with the name of what it reads; empty if that is the whole or computed.
func tracedVar(n node, name string) node {
	return &traced{node: n, shape: Step{Operator: "var", Name: name}}
}

func (n *readSlot) explained() node { return tracedVar(n, n.name) }

func (n readWhole) explained() node { return tracedVar(n, "") }

func (n readTimestamp) explained() node { return tracedVar(n, flagdProperties+".timestamp") }

func (n readComparedTimestamp) explained() node { return tracedVar(n, flagdProperties+".timestamp") }

func (n readFlagKey) explained() node { return tracedVar(n, flagdProperties+".flagKey") }

func (n readProperties) explained() node { return tracedVar(n, flagdProperties) }

func (n readScope) explained() node { return tracedVar(n, strings.Join(n.path, ".")) }

func (n withDefault) explained() node {
	return tracedVar(withDefault{read: n.read.explained(), fallback: n.fallback.explained()}, "")
}

func (n readComputed) explained() node {
	return tracedVar(readComputed{depth: n.depth, name: n.name.explained()}, "")
}

func (n *missing) withSteps() *missing { return &missing{names: n.names, reads: explainedAll(n.reads)} }

func (n *missing) explained() node {
	return &traced{node: n.withSteps(), shape: Step{Operator: "missing"}}
}

func (n *missingSome) explained() node {
	inputs := []Step{literal(number(float64(n.needed)))}
	inner := &missingSome{needed: n.needed, names: *n.names.withSteps()}
	return &traced{node: inner, shape: Step{Operator: "missing_some", Inputs: inputs}}
}

func (n missingComputed) explained() node {
	return &traced{node: missingComputed{depth: n.depth, names: n.names.explained()}, shape: Step{Operator: "missing"}}
}

func (n missingSomeComputed) explained() node {
	inner := missingSomeComputed{depth: n.depth, arguments: n.arguments.explained()}
	return &traced{node: inner, shape: Step{Operator: "missing_some"}}
}

// Nodes that choose among several reads are no operators: their parts are the steps.

func (n outerFirst) explained() node {
	return outerFirst{outer: n.outer.explained(), inner: n.inner.explained()}
}

func (n substituted) explained() node {
	return substituted{reads: explainedAll(n.reads), otherwise: n.otherwise.explained()}
}

func (n bareVar) explained() node {
	return bareVar{substitutes: explainedAll(n.substitutes), last: n.last.explained()}
}
