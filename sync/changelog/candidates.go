package changelog

// candidates are messages that look like valid ones and are not proved yet. Each
// names the one that it follows, so they form a tree whose root is what was
// proved last: of several that follow the same one, one at most is true. What is
// proved of the newest holds for all that it follows. L identifies a message, R
// is what it says. The zero value holds none.
type candidates[L comparable, R any] struct {
	nodes []candidate[L, R]
	index map[L]int // of all nodes but the newest, which is mostly the one that is asked for
	one   [1]R      // the last path that has one record, as most have
}

type candidate[L comparable, R any] struct {
	link   L
	parent int // -1 is the root
	record R
	failed bool // it was not proved when that was tried
}

// add takes a candidate that follows prev, and reports whether prev is the root
// or another candidate.
func (c *candidates[L, R]) add(root, prev, own L, record R) bool {
	parent := -1
	if prev != root {
		i, known := c.find(prev)
		if !known {
			return false
		}
		parent = i
	}
	if _, twice := c.find(own); twice {
		return true
	}
	if newest := len(c.nodes) - 1; newest >= 0 {
		c.insert(newest)
	}
	c.nodes = append(c.nodes, candidate[L, R]{link: own, parent: parent, record: record})
	return true
}

func (c *candidates[L, R]) insert(i int) {
	if c.index == nil {
		c.index = make(map[L]int)
	}
	c.index[c.nodes[i].link] = i
}

func (c *candidates[L, R]) find(link L) (i int, known bool) {
	if newest := len(c.nodes) - 1; newest >= 0 && c.nodes[newest].link == link {
		return newest, true
	}
	i, known = c.index[link]
	return i, known
}

// get returns the candidate that identifies itself as link.
func (c *candidates[L, R]) get(link L) (record R, known bool) {
	i, known := c.find(link)
	if known {
		record = c.nodes[i].record
	}
	return record, known
}

// settle returns the newest candidate that is proved and all that it follows, in
// order, and drops the others. After limit failures it drops everything that is
// left; a negative limit is none.
func (c *candidates[L, R]) settle(proved func(R) bool, limit int) (path []R, failures int) {
	found, failures := c.newestProved(proved, limit, true)
	path = c.path(found)
	c.drop()
	return path, failures
}

// settleSoFar is settle, but keeps what may still be proved by what comes later:
// everything, or what follows the newest that is proved. What failed is not tried
// again before settle, or every read would try all that noise has left.
func (c *candidates[L, R]) settleSoFar(proved func(R) bool) (path []R, failures int) {
	found, failures := c.newestProved(proved, -1, false)
	if found < 0 {
		return nil, failures
	}
	path = c.path(found)
	c.keepAfter(found)
	return path, failures
}

// newestProved returns the newest candidate that is proved, -1 if there is none.
// Those that failed before are tried again only on demand.
func (c *candidates[L, R]) newestProved(proved func(R) bool, limit int, again bool) (found, failures int) {
	for i := len(c.nodes) - 1; i >= 0 && failures != limit; i-- {
		n := &c.nodes[i]
		if n.failed && !again {
			continue
		}
		if proved(n.record) {
			return i, failures
		}
		n.failed = true
		failures++
	}
	return -1, failures
}

// path returns a candidate and all that it follows, in order. The result is valid
// until the next call.
func (c *candidates[L, R]) path(i int) []R {
	length := 0
	for at := i; at >= 0; at = c.nodes[at].parent {
		length++
	}
	if length == 0 {
		return nil
	}
	path := c.one[:]
	if length > 1 {
		path = make([]R, length)
	}
	for at := i; at >= 0; at = c.nodes[at].parent {
		length--
		path[length] = c.nodes[at].record
	}
	return path
}

// keepAfter makes a candidate the root and keeps what follows it.
func (c *candidates[L, R]) keepAfter(root int) {
	moved := map[int]int{root: -1}
	kept := candidates[L, R]{}
	for i := root + 1; i < len(c.nodes); i++ {
		n := c.nodes[i]
		parent, ok := moved[n.parent]
		if !ok {
			continue
		}
		if newest := len(kept.nodes) - 1; newest >= 0 {
			kept.insert(newest)
		}
		moved[i], n.parent = len(kept.nodes), parent
		kept.nodes = append(kept.nodes, n)
	}
	c.nodes, c.index = kept.nodes, kept.index
}

func (c *candidates[L, R]) drop() {
	clear(c.nodes)
	c.nodes = c.nodes[:0]
	clear(c.index)
}
