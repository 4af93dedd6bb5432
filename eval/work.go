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

// workOf returns the work of an expression, nil for one that is not there.
func workOf(n node) work {
	if n == nil {
		return nodes(1)
	}
	return n.work()
}

// workOfAll returns the work of expressions that are all evaluated, and one node each for keeping the results.
func workOfAll(list []node) work {
	w := nodes(len(list))
	for _, n := range list {
		w = w.plus(n.work())
	}
	return w
}

// price sets what the iteration and each of its elements cost. A step costs overhead beside the body.
func (n *iteration) price(overhead int) {
	subject, body := workOf(n.subject), workOf(n.body).plus(nodes(overhead))
	n.each = body.once
	times := 1
	if list, known := n.subject.(constant); known {
		times += len(list.value.items())
	}
	n.priced = nodes(1).plus(subject).plus(work{once: body.once, total: min(times*body.total, endlessWork)})
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
