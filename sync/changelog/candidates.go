package changelog

import "slices"

// candidates are messages that look like valid ones and are not proved yet. Each
// names the one that it follows, so they form a tree whose root is what was
// proved last: of several that follow the same one, one at most is true. What is
// proved of the newest holds for all that it follows. L identifies a message, R
// is what it says. The zero value holds none.
type candidates[L comparable, R any] struct {
	nodes []candidate[L, R]
	index map[L]int
}

type candidate[L comparable, R any] struct {
	parent int // -1 is the root
	record R
}

// add takes a candidate that follows prev, and reports whether prev is the root
// or another candidate.
func (c *candidates[L, R]) add(root, prev, own L, record R) bool {
	parent := -1
	if prev != root {
		i, known := c.index[prev]
		if !known {
			return false
		}
		parent = i
	}
	if c.index == nil {
		c.index = make(map[L]int)
	}
	if _, twice := c.index[own]; twice {
		return true
	}
	c.index[own] = len(c.nodes)
	c.nodes = append(c.nodes, candidate[L, R]{parent: parent, record: record})
	return true
}

// holds reports whether a candidate is known.
func (c *candidates[L, R]) holds(own L) bool {
	_, known := c.index[own]
	return known
}

// settle returns the newest candidate that is proved and all that it follows, in
// order, and drops the others. After limit failures it drops everything that is
// left; a negative limit is none.
func (c *candidates[L, R]) settle(proved func(R) bool, limit int) (path []R, failures int) {
	for i := len(c.nodes) - 1; i >= 0 && failures != limit; i-- {
		if !proved(c.nodes[i].record) {
			failures++
			continue
		}
		for at := i; at >= 0; at = c.nodes[at].parent {
			path = append(path, c.nodes[at].record)
		}
		slices.Reverse(path)
		break
	}
	c.nodes = c.nodes[:0]
	clear(c.index)
	return path, failures
}
