package eval

import (
	"math"
	"strconv"
)

// work is how many nodes the evaluation of an expression visits at most, as far as that is known without data. Both numbers stop growing
// at endlessWork.
type work struct {
	// once counts every part once, the body of an iteration too, and of alternatives only the longest. It is paid for in advance.
	once int
	// total counts the bodies of iterations over lists in the rule as often as the lists have elements.
	total int
}

// endlessWork is more than any limit.
const endlessWork = math.MaxInt32

func nodes(n int) work { return work{once: n, total: n} }

func (w work) plus(o work) work {
	return work{once: min(w.once+o.once, endlessWork), total: min(w.total+o.total, endlessWork)}
}

func (w work) longest(o work) work {
	return work{once: max(w.once, o.once), total: max(w.total, o.total)}
}

// workOfAll returns the work of expressions that are all evaluated, and one node each for keeping the results.
func workOfAll(list []node) work {
	w := nodes(len(list))
	for _, n := range list {
		w = w.plus(workOf(n))
	}
	return w
}

// workOf returns the work of an expression. Segments and iterations know theirs, so that no part is counted again and again.
func workOf(n node) work {
	switch n := n.(type) {
	case nil, constant:
		return nodes(1)
	case elements:
		return nodes(1).plus(workOfAll(n))
	case *call:
		return nodes(1).plus(workOfAll(n.arguments))
	case *callOne:
		return nodes(2).plus(workOf(n.argument))
	case *useSegment:
		return n.work
	case *conditional:
		return n.workOf()
	case branch:
		return workOf(n.result)
	case and:
		return nodes(1).plus(workOfAll(n))
	case or:
		return nodes(1).plus(workOfAll(n))
	case not:
		return nodes(1).plus(workOf(n.argument))
	case truth:
		return nodes(1).plus(workOf(n.argument))
	case *fractional:
		return nodes(8 + len(n.buckets)).plus(workOf(n.seed))
	case *fractionalComputed:
		return nodes(8).plus(workOf(n.arguments))
	default:
		return workOfRest(n)
	}
}

func workOfRest(n node) work {
	if w, ok := workOfTest(n); ok {
		return w
	}
	if w, ok := workOfIteration(n); ok {
		return w
	}
	return workOfRead(n)
}

func (n *conditional) workOf() work {
	results := work{}
	for _, result := range n.results {
		results = results.longest(workOf(result))
	}
	return nodes(1).plus(workOfAll(n.conditions)).plus(results)
}

// workOfTest returns the work of the conditions that were compiled for common arguments.
func workOfTest(n node) (w work, ok bool) {
	switch n := n.(type) {
	case *compare:
		return nodes(1).plus(workOf(n.a)).plus(workOf(n.b)), true
	case *compareTime:
		return nodes(1).plus(workOfAll(n.arguments)), true
	case *equalsText:
		return nodes(2 + len(n.constant.str)/bytesPerNode).plus(workOf(n.argument)), true
	case *inSet:
		return nodes(2).plus(workOf(n.needle)), true
	case *affix:
		return nodes(2 + len(n.constant)/bytesPerNode).plus(workOf(n.argument)), true
	case *versionCompare:
		return nodes(8).plus(workOf(n.argument)), true
	default:
		return work{}, false
	}
}

func workOfIteration(n node) (w work, ok bool) {
	switch n := n.(type) {
	case *filterNode:
		return n.work, true
	case *mapNode:
		return n.work, true
	case *allNode:
		return n.work, true
	case *anyNode:
		return n.work, true
	case *reduceNode:
		return n.work.plus(workOf(n.initial)), true
	default:
		return work{}, false
	}
}

// workOfRead returns the work of what reads data.
func workOfRead(n node) work {
	switch n := n.(type) {
	case readScope:
		return workOfPath(n.path)
	case readProperties:
		return nodes(4)
	case withDefault:
		return nodes(1).plus(workOf(n.read)).plus(workOf(n.fallback))
	case readComputed:
		return nodes(4).plus(workOf(n.name))
	case *missing:
		return nodes(2).plus(workOfAll(n.reads))
	case *missingSome:
		return nodes(2).plus(workOfAll(n.names.reads))
	case missingComputed:
		return nodes(2).plus(workOf(n.names))
	case missingSomeComputed:
		return nodes(2).plus(workOf(n.arguments))
	case outerFirst:
		return workOf(n.outer).plus(workOf(n.inner))
	case substituted:
		return workOfAll(n.reads).plus(workOf(n.otherwise))
	case bareVar:
		return workOfAll(n.substitutes).plus(workOf(n.last))
	default:
		return nodes(1)
	}
}

func workOfPath(path []string) work {
	n := 1
	for _, name := range path {
		n += 1 + len(name)/bytesPerNode
	}
	return nodes(n)
}

// price sets what the iteration and each of its elements cost. A step costs overhead beside the body.
func (n *iteration) price(overhead int) {
	subject, body := workOf(n.subject), workOf(n.body).plus(nodes(overhead))
	n.each = body.once
	times := 1
	if list, known := n.subject.(constant); known {
		times += len(list.value.items())
	}
	n.work = nodes(1).plus(subject).plus(work{once: body.once, total: min(times*body.total, endlessWork)})
}

// checkWork reports an iteration, or a rule as a whole, that would take too much work for every context. What is around it takes too much
// then as well, and is not reported again.
func (c *ruleCompiler) checkWork(at *syntax, w work, what string) {
	if w.total <= c.limit || c.overworked {
		return
	}
	c.overworked = true
	c.problem(at, what+" may visit "+atMost(w.total)+" nodes, more than the "+strconv.Itoa(c.limit)+" that one evaluation may visit",
		"use shorter lists or a simpler condition, or raise --max-evaluation-work in publishers and sidecars")
}

func atMost(n int) string {
	if n >= endlessWork {
		return "more than 2 billion"
	}
	return strconv.Itoa(n)
}

// work returns that of the flag with all its prerequisites.
func (f *Flag) work() work { return work{once: int(f.limit - f.allowance), total: int(f.total)} }

// work returns that of evaluating the prerequisite.
func (p *prerequisite) work() work { return p.flag.work().plus(nodes(1 + len(p.variants))) }

// sum adds up the work of a flag whose prerequisites have theirs.
func (f *Flag) sum() work {
	w := workOf(f.rule)
	for i := range f.prerequisites {
		w = w.plus(f.prerequisites[i].work())
	}
	return w
}

// bound sets what evaluations of the flag may spend, of which w is paid for in advance.
func (f *Flag) bound(limit int, w work) {
	f.limit, f.allowance, f.total = int32(limit), int32(limit-w.once), int32(w.total)
}
