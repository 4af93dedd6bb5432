package eval

func (n constant) work() work { return nodes(1) }

func (n elements) work() work { return nodes(1).plus(workOfAll(n)) }

func (n *call) work() work { return nodes(1).plus(workOfAll(n.arguments)) }

func (n *callOne) work() work { return nodes(2).plus(n.argument.work()) }

func (n *useSegment) work() work { return n.priced }

func (n *conditional) work() work {
	results := work{}
	for _, result := range n.results {
		results = results.longest(result.work())
	}
	return nodes(1).plus(workOfAll(n.conditions)).plus(results)
}

func (n branch) work() work { return n.result.work() }

func (n and) work() work { return nodes(1).plus(workOfAll(n)) }

func (n or) work() work { return nodes(1).plus(workOfAll(n)) }

func (n not) work() work { return nodes(1).plus(n.argument.work()) }

func (n truth) work() work { return nodes(1).plus(n.argument.work()) }

func (n *fractional) work() work { return nodes(8 + len(n.buckets)).plus(workOf(n.seed)) }

func (n *fractionalComputed) work() work { return nodes(8).plus(n.arguments.work()) }

func (n *compare) work() work { return nodes(1).plus(n.a.work()).plus(n.b.work()) }

func (n *compareTime) work() work { return nodes(1).plus(workOfAll(n.arguments)) }

func (n *equalsText) work() work {
	return nodes(2 + len(n.constant.str)/bytesPerNode).plus(n.argument.work())
}

func (n *inSet) work() work { return nodes(2).plus(n.needle.work()) }

func (n *affix) work() work { return nodes(2 + len(n.constant)/bytesPerNode).plus(n.argument.work()) }

func (n *versionCompare) work() work { return nodes(8).plus(n.argument.work()) }

// work of an iteration is that of all operators over the elements of a list.
func (n *iteration) work() work { return n.priced }

func (n *reduceNode) work() work { return n.priced.plus(n.initial.work()) }

func (n *readSlot) work() work { return nodes(1) }

func (n readWhole) work() work { return nodes(1) }

func (n readTimestamp) work() work { return nodes(1) }

func (n readComparedTimestamp) work() work { return nodes(1) }

func (n readFlagKey) work() work { return nodes(1) }

func (n readProperties) work() work { return nodes(4) }

func (n readScope) work() work { return workOfPath(n.path) }

func workOfPath(path []string) work {
	n := 1
	for _, name := range path {
		n += 1 + len(name)/bytesPerNode
	}
	return nodes(n)
}

func (n withDefault) work() work { return nodes(1).plus(n.read.work()).plus(n.fallback.work()) }

func (n readComputed) work() work { return nodes(4).plus(n.name.work()) }

func (n *missing) work() work { return nodes(2).plus(workOfAll(n.reads)) }

func (n *missingSome) work() work { return n.names.work() }

func (n missingComputed) work() work { return nodes(2).plus(n.names.work()) }

func (n missingSomeComputed) work() work { return nodes(2).plus(n.arguments.work()) }

func (n outerFirst) work() work { return n.outer.work().plus(n.inner.work()) }

func (n substituted) work() work { return workOfAll(n.reads).plus(n.otherwise.work()) }

func (n bareVar) work() work { return workOfAll(n.substitutes).plus(n.last.work()) }

func (n *traced) work() work { return n.node.work() }

func (n taken) work() work { return n.result.work() }
