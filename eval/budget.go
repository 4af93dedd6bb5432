package eval

import "strconv"

// DefaultMaxWork is how many nodes one evaluation may visit unless the Ruleset says otherwise.
const DefaultMaxWork = 1_000_000

// An evaluation never blocks and never takes long, whatever the rule and the context are. The budget of a Context holds what it may still
// spend. The parts of a rule outside iterations, those of prerequisites included, are paid for in advance with a figure that is known
// since compilation (see work); only nodes whose work depends on data pay while they run.
const (
	// bytesPerNode is how many bytes of text count as one node.
	bytesPerNode = 8
	// longText is how many bytes a text has from which reading it is paid for. Shorter ones are part of the price of a node.
	longText = 64
	// fewNames is how many names of members are searched for the price of a node.
	fewNames = 8
)

const tooMuchWork = "the evaluation takes more work than it may"

// spend pays for n nodes. It is false if the evaluation had to end, because its work exceeds the limit.
func (c *Context) spend(n int) bool {
	c.left -= n
	return c.left >= 0
}

// spendText pays for reading or making n bytes of text.
func (c *Context) spendText(n int) bool { return c.spend(n / bytesPerNode) }

// spendTexts pays for reading a list of arguments.
func (c *Context) spendTexts(items []value) bool {
	size := 0
	for i := range items {
		size += len(items[i].str)
	}
	return c.spend(len(items) + size/bytesPerNode)
}

// spendValue pays for writing v with all its parts. It stops as soon as that is too much.
func (c *Context) spendValue(v value) bool {
	if !c.spend(2 + len(v.str)/bytesPerNode) {
		return false
	}
	if v.ref == nil {
		return true
	}
	for i := range v.ref.items {
		if v.ref.names != nil && !c.spend(8+len(v.ref.names[i])/bytesPerNode) || // names are sorted
			!c.spendValue(v.ref.items[i]) {
			return false
		}
	}
	return true
}

// executable is value.executable, and pays for it. ok is false if that is too much.
func (c *Context) executable(v value) (found, ok bool) {
	if v.kind != kindArray {
		return v.executable(), true
	}
	for _, item := range v.ref.items {
		if !c.spend(1) {
			return false, false
		}
		if found, ok := c.executable(item); found || !ok {
			return found, ok
		}
	}
	return false, true
}

// Work returns how many nodes the last evaluation of a rule with c was charged for. It is 0 before the first.
func (c *Context) Work() int { return c.limit - c.left }

// exhausted is the answer when an evaluation takes more work than it may.
func (f *Flag) exhausted() Result {
	return f.failed(ErrorParse, tooMuchWork+": the limit is "+strconv.Itoa(int(f.limit))+" nodes, see --max-evaluation-work")
}
