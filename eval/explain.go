package eval

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Explanation says how an answer came about. It is a value of its own: nothing in it is shared. It contains values of the evaluation
// context, so it is for those who may see them.
type Explanation struct {
	// Flag is the key of the flag and Revision that of the document that was evaluated.
	Flag     string `json:"flag"`
	Revision uint64 `json:"revision"`
	// The answer. Variant and Value are empty if the caller's own default applies.
	Reason    Reason          `json:"reason"`
	Variant   string          `json:"variant,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
	ErrorCode ErrorCode       `json:"errorCode,omitempty"`
	Detail    string          `json:"errorDetails,omitempty"`
	// Prerequisites are those that were evaluated, in order; only the last one can be unmet.
	Prerequisites []PrerequisiteCheck `json:"prerequisites,omitempty"`
	// Rule is what the targeting rule did, nil if none was evaluated.
	Rule *Step `json:"rule,omitempty"`
	// TimeDependent and ValidUntil are those of the Result.
	TimeDependent bool       `json:"timeDependent,omitempty"`
	ValidUntil    *time.Time `json:"validUntil,omitempty"`
	// Truncated says that some steps are left out because there were too many.
	Truncated bool `json:"truncated,omitempty"`
	// Result is what Evaluate returns. Explanations of prerequisites have one as well.
	Result Result `json:"-"`
}

// PrerequisiteCheck is one prerequisite that was evaluated.
type PrerequisiteCheck struct {
	// Variants are the names of the variants that are good enough.
	Variants []string `json:"variants"`
	// Met says whether the flag evaluated to one of them.
	Met bool `json:"met"`
	// Explanation explains the answer of the other flag.
	Explanation Explanation `json:"explanation"`
}

// Step is one expression of a rule that was evaluated.
type Step struct {
	// Operator is the name of the operator, "$ref" for a segment, and empty for a literal.
	Operator string `json:"operator,omitempty"`
	// Name is the attribute that var reads as far as it is fixed, and the name of a segment.
	Name string `json:"name,omitempty"`
	// Revision is that of a segment's document.
	Revision uint64 `json:"revision,omitempty"`
	// Inputs are the arguments that were evaluated, in that order, and constants.
	Inputs []Step `json:"inputs,omitempty"`
	// Elements is the size of a constant list that is searched and not repeated here.
	Elements int `json:"elements,omitempty"`
	// Branch is the place, in the list of arguments of if, of the result that was taken.
	Branch *int `json:"branch,omitempty"`
	// Distribution is how fractional found the bucket, nil if it could not.
	Distribution *Distribution `json:"distribution,omitempty"`
	// Result is the value as JSON. It is nil for an error, and for values that are too large to be shown. Infinity and NaN, which JSON has
	// not, are shown as strings.
	Result json.RawMessage `json:"result,omitempty"`
	// Error is why the operator failed.
	Error string `json:"error,omitempty"`
}

// Distribution is one draw of fractional.
type Distribution struct {
	// HashInput is the text that was hashed and Hash the 32-bit murmur3 hash of it.
	HashInput string `json:"hashInput"`
	Hash      uint32 `json:"hash"`
	// Bucket is the hash mapped to the numbers from 0 up to, but not including, Weights, which is the sum of all weights.
	Bucket  uint64 `json:"bucket"`
	Weights uint64 `json:"weights"`
}

// Explain evaluates the flag like Evaluate, within the same limit, and says how. It is meant for people: it takes many times as long and allocates.
func (f *Flag) Explain(c *Context, now time.Time) Explanation {
	if c == nil {
		c = new(Context)
	}
	return f.explainWith(c, now, new(trace))
}

// explainWith is Explain, whose steps t collects.
func (f *Flag) explainWith(c *Context, now time.Time, t *trace) Explanation {
	c.begin(f, now)
	c.trace = t
	e := Explanation{Flag: f.key, Revision: f.revision}
	if c.left >= 0 {
		e = f.explain(c)
	}
	if c.left < 0 {
		e.answer(f.exhausted())
	}
	e.Result.TimeDependent, e.Result.ValidUntil = c.clock.result()
	e.Result.ClockRead = c.clock.read || c.clock.unknown
	e.Truncated = c.trace.truncated
	e.TimeDependent = e.Result.TimeDependent
	if !e.Result.ValidUntil.IsZero() {
		e.ValidUntil = &e.Result.ValidUntil
	}
	c.trace = nil
	return e
}

// explain does what evaluate does.
func (f *Flag) explain(c *Context) Explanation {
	e := Explanation{Flag: f.key, Revision: f.revision}
	for i := range f.prerequisites {
		p := &f.prerequisites[i]
		check := PrerequisiteCheck{Variants: slices.Clone(f.declared.prerequisites[i].Variants), Explanation: p.flag.explain(c)}
		check.Met = slices.Contains(p.variants, check.Explanation.Result.Variant)
		e.Prerequisites = append(e.Prerequisites, check)
		if !check.Met {
			e.answer(f.off(p))
			return e
		}
	}
	if f.rule == nil {
		e.answer(f.settled)
		return e
	}
	c.flag, c.rule = f, 0
	root := new(Step)
	c.trace.open = root
	v := f.rule.explained().eval(c)
	if len(root.Inputs) > 0 {
		e.Rule = &root.Inputs[0]
	}
	var r Result
	f.outcome(c, v, &r)
	r.Rule = c.rule
	e.answer(r)
	return e
}

// answer notes the result.
func (e *Explanation) answer(r Result) {
	e.Result = r
	e.Reason, e.ErrorCode, e.Detail = r.Reason, r.ErrorCode, r.Detail
	e.Variant, e.Value = "", nil
	if r.Variant != nil {
		e.Variant, e.Value = r.Variant.name, slices.Clone(r.Variant.encoded)
	}
}

// trace collects the steps of an evaluation.
type trace struct {
	open      *Step // the step whose inputs are being evaluated
	count     int
	shown     int // bytes of all results
	truncated bool
}

const (
	// maxSteps bounds how many steps an explanation has: an iteration over a long list evaluates its body for each element.
	maxSteps = 10_000
	// maxShown bounds the values that are shown, in bytes of JSON.
	maxShown = 4096
	// maxShownInAll bounds all of them together.
	maxShownInAll = 4 << 20
)

// traced is a node whose evaluation is a step of an explanation. The parts of the node are explained.
type traced struct {
	node  node
	shape Step // what is known of the step beforehand; its inputs are constants
}

func (n *traced) eval(c *Context) value {
	t := c.trace
	outer := t.open
	step := n.shape
	step.Inputs = nil
	t.open = &step
	v := n.node.eval(c)
	t.open = outer
	if t.count++; t.count > maxSteps {
		t.truncated = true
		return v
	}
	step.Inputs = append(step.Inputs, n.shape.Inputs...)
	step.show(v)
	if t.shown += len(step.Result); t.shown > maxShownInAll {
		t.count = maxSteps
	}
	outer.Inputs = append(outer.Inputs, step)
	return v
}

// show notes the value of the step.
func (s *Step) show(v value) {
	switch {
	case v.kind != kindError && v.within(maxShown) < 0:
	case v.kind == kindError:
		s.Error = v.str
	case v.kind == kindNumber && !finite(v):
		s.Result = appendString(nil, strconv.FormatFloat(v.num, 'g', -1, 64))
	case finite(v):
		if shown := appendValue(nil, v); len(shown) <= maxShown {
			s.Result = shown
		}
	}
}

// within returns n less at least one for every part of v and every byte of its texts. It ends as soon as that is negative.
func (v value) within(n int) int {
	n -= 1 + len(v.str)
	if v.ref == nil {
		return n
	}
	for i := 0; i < len(v.ref.items) && n >= 0; i++ {
		n = v.ref.items[i].within(n)
	}
	return n
}

// distributed notes how fractional, the open step, found its bucket.
func (t *trace) distributed(input string, hash uint32, bucket, weights uint64) {
	t.open.Distribution = &Distribution{HashInput: string([]byte(input)), Hash: hash, Bucket: bucket, Weights: weights}
}

// taken is a result of if that notes which one it is.
type taken struct {
	result node
	place  int
}

func (n taken) eval(c *Context) value {
	c.trace.open.Branch = &n.place
	return n.result.eval(c)
}
