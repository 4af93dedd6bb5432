package usage

import (
	"slices"

	"github.com/flagside/flagside/eval"
)

// Series is what evaluations are told apart by. The zero value of Flag stands for all flags that there was no room for.
type Series struct {
	Flag     string
	Revision uint64 // of the flag
	Variant  string // empty if the application's own default applies
	Reason   eval.Reason
	Code     eval.ErrorCode // empty unless the evaluation failed
	// Rule is that of eval.Result.
	Rule int
	// Application is the one that asked: empty for the one that the sidecar is for, OtherApplication if there was no room for it.
	Application string
	// Bulk tells the evaluations of bulk answers, of which it is not known whether the application looks at them.
	Bulk bool
}

// Collected is what was counted between two calls of Collect.
type Collected struct {
	Evaluations map[Series]uint64
	// NotFound has requests for flags that do not exist by key, and NotFoundOthers the number of those whose keys there is no room for.
	NotFound       map[string]uint64
	NotFoundOthers uint64
	// Unchanged is how many answers for all flags were not made because clients had them, and had evaluations that are not in Evaluations.
	Unchanged uint64
}

// Collect returns what was counted since it was called last, every evaluation exactly once.
func (c *Counts) Collect() Collected {
	all := Collected{Evaluations: make(map[Series]uint64), Unchanged: c.unchanged.Swap(0)}
	all.NotFound, all.NotFoundOthers = c.unknown.collect()
	c.mu.Lock()
	defer c.mu.Unlock()
	names := c.applications.list()
	c.spread()
	before := len(c.kept)
	c.kept = slices.DeleteFunc(c.kept, func(s *series) bool {
		n, idle := s.collect()
		if idle {
			n += s.giveUp()
			c.release(s)
		}
		all.add(s, names, n)
		return idle
	})
	if len(c.kept) < before {
		c.rebuild()
	}
	for bulk := range c.others {
		for o := range c.others[bulk] {
			s := &c.others[bulk][o]
			all.add(s, names, s.n.Swap(0))
		}
	}
	return all
}

// spread counts the evaluations of groups where those of others are. c.mu is held. A group that was idle once is given up: most are of rulesets that
// are replaced, they are large, and one that is used again is put back at the price of a lock.
func (c *Counts) spread() {
	c.groups = slices.DeleteFunc(c.groups, func(g *Group) bool {
		n := g.n.Swap(0)
		idle := n == 0
		if idle {
			n = g.giveUp()
		}
		if n > 0 {
			c.addLocked(g.series, n)
			c.addLocked(g.settled, n)
		}
		return idle
	})
}

func (c *Counts) addLocked(all []*series, n uint64) {
	for _, s := range all {
		if !s.add(n) {
			c.keepLocked(s)
		}
	}
}

func (all *Collected) add(s *series, applications []string, n uint64) {
	if n == 0 {
		return
	}
	one := Series{
		Flag: s.flag, Revision: s.revision, Variant: s.variant, Rule: s.key.rule(), Application: applications[s.key.application()], Bulk: s.key.bulk(),
	}
	one.Reason, one.Code = s.key.outcome().Reason()
	all.Evaluations[one] += n
}
