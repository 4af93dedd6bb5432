package eval

// An evaluation never blocks, whatever the rule and the context are: iterations inside iterations, and texts that double with every
// element, end in a failure.
const (
	// maxElements bounds how many elements of lists and members of objects one evaluation may make or visit.
	maxElements = 1 << 20
	// maxScratch bounds the text that one evaluation may make, in bytes.
	maxScratch = 1 << 24
)

const tooMuchWork = "the rule works on too many elements, or on too much text"

// spend notes that an operator is about to make or visit n elements. It is false if that is too much for one evaluation.
func (c *Context) spend(n int) bool {
	c.spent += n
	return c.spent <= maxElements && len(c.scratch) <= maxScratch
}
