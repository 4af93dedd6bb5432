package eval

import (
	"slices"
	"strconv"
	"strings"
)

// outcomeCheck finds what a rule may answer that is no variant of the flag, for every context. It looks at what the document says, and
// trusts what only data decides.
type outcomeCheck struct {
	flag     *Flag
	segment  func(name string) *segment
	report   func(at *syntax, p Problem)
	variants string // the hint that lists them

	through []string // the segments around the expression
	from    *syntax  // the reference in the flag's own document, nil outside segments
	left    int      // how many expressions are still looked at
	found   int      // how many problems were reported
}

// maxOutcomeProblems bounds what is reported about the results of one rule.
const maxOutcomeProblems = 20

// wanted says which of the results of an expression can become the answer.
type wanted int

const (
	everyResult wanted = iota
	falseResults
	trueResults
)

// checkOutcomes reports what the rule of a flag answers that is no variant.
func (u *update) checkOutcomes(f *Flag, rule *syntax, p *plan) {
	if len(f.variants) == 0 {
		return // which is reported already
	}
	c := &outcomeCheck{
		flag:     f,
		segment:  func(name string) *segment { return u.next.segments[name] },
		variants: "the variants are " + f.variants.names(),
		left:     maxExpressions,
	}
	c.report = func(at *syntax, problem Problem) {
		problem.Warning = f.compatibility == CompatibilityFlagd
		p.report(at, problem)
	}
	c.check(rule, everyResult)
}

func (c *outcomeCheck) problem(at *syntax, reason, hint string) {
	c.found++
	if c.from != nil {
		at = c.from
		reason = "in the segment " + strconv.Quote(c.through[len(c.through)-1]) + ": " + reason
	}
	c.report(at, Problem{Reason: reason, Hint: hint})
}

// check looks at one expression whose result may become the answer.
func (c *outcomeCheck) check(s *syntax, want wanted) {
	if c.left--; c.left < 0 || c.found >= maxOutcomeProblems {
		return
	}
	name, arguments, ok := s.operator()
	if !ok {
		c.checkLiteral(s, want)
		return
	}
	switch name {
	case "if", "?:":
		c.checkBranches(arguments, want)
	case "and", "or":
		c.checkJunction(name, arguments, want)
	case "fractional":
		c.checkShares(arguments, want)
	case "$ref":
		c.checkReference(s, arguments, want)
	case "var":
		c.checkFallback(arguments, want)
	default:
		c.checkType(s, name, want)
	}
}

// checkLiteral looks at an answer that the document spells out. Null is the default variant.
func (c *outcomeCheck) checkLiteral(s *syntax, want wanted) {
	v := s.value()
	if v.kind == kindNull || !want.includes(v.truthy()) {
		return
	}
	if s.kind == kindArray && s.hasOperator() {
		return // its parts are evaluated
	}
	if s.kind == kindObject && len(s.names) > 1 && s.hasOperator() {
		return // the compiler reports it
	}
	if variant, _ := c.flag.match(unbounded(), v); variant != nil {
		return
	}
	if s.kind == kindString {
		c.problem(s, "the variant "+strconv.Quote(s.text)+" does not exist", c.variants)
		return
	}
	c.problem(s, "a rule cannot answer "+s.described()+", which is no variant of the flag", c.variants)
}

func (w wanted) includes(truthy bool) bool {
	return w == everyResult || (w == trueResults) == truthy
}

func (c *outcomeCheck) checkBranches(arguments *syntax, want wanted) {
	if arguments.kind != kindArray {
		return
	}
	for i := range arguments.items {
		if i%2 == 1 || i == len(arguments.items)-1 {
			c.check(&arguments.items[i], want)
		}
	}
}

// checkJunction looks at what and answers: the first argument that is false, or the last; and or: the first that is true, or the last.
func (c *outcomeCheck) checkJunction(name string, arguments *syntax, want wanted) {
	if arguments.kind != kindArray {
		return
	}
	stops := falseResults
	if name == "or" {
		stops = trueResults
	}
	for i := range arguments.items {
		switch last := i == len(arguments.items)-1; {
		case last:
			c.check(&arguments.items[i], want)
		case want == everyResult || want == stops:
			c.check(&arguments.items[i], stops)
		}
	}
}

func (c *outcomeCheck) checkShares(arguments *syntax, want wanted) {
	if arguments.kind != kindArray {
		return
	}
	_, shares := splitSeed(arguments)
	for i := range shares {
		if shares[i].kind == kindArray && len(shares[i].items) > 0 && shares[i].items[0].kind != kindArray {
			c.check(&shares[i].items[0], want)
		}
	}
}

// checkReference looks at what a segment answers where a flag uses it as the answer.
func (c *outcomeCheck) checkReference(s, target *syntax, want wanted) {
	if target.kind != kindString || slices.Contains(c.through, target.text) {
		return
	}
	referenced := c.segment(target.text)
	if referenced == nil || referenced.rule == nil {
		return
	}
	outside := c.from == nil
	if outside {
		c.from = s
	}
	c.through = append(c.through, target.text)
	c.check(referenced.rule, want)
	c.through = c.through[:len(c.through)-1]
	if outside {
		c.from = nil
	}
}

// checkFallback looks at the answer of a var for contexts without the attribute.
func (c *outcomeCheck) checkFallback(arguments *syntax, want wanted) {
	if arguments.kind == kindArray && len(arguments.items) == 2 {
		c.check(&arguments.items[1], want)
	}
}

// checkType looks at operators whose results have one type.
func (c *outcomeCheck) checkType(s *syntax, name string, want wanted) {
	switch name {
	case "==", "!=", "===", "!==", "<", "<=", ">", ">=", "!", "!!", "in", "all", "none", "some",
		"contains_all", "contains_any", "contains_none", "starts_with", "ends_with", "sem_ver":
		for _, text := range []string{"false", "true"} {
			if want.includes(text == "true") && c.flag.variants.named(text) == nil {
				c.problem(s, name+" answers "+text+", which is no variant of the flag", "choose a variant with {\"if\": [{"+strconv.Quote(name)+": ...}, ...]}; "+c.variants)
				return
			}
		}
	case "filter", "map", "merge", "missing", "missing_some":
		c.checkSpelling(s, name, "a list", "[", want)
	case "set":
		c.checkSpelling(s, name, "an object", "{", want)
	case "+", "-", "*", "/", "%", "abs":
		c.checkSpelling(s, name, "a number", "-0123456789", want)
	}
}

// checkSpelling reports an operator none of whose results is spelt like a variant: no name begins with one of the characters.
func (c *outcomeCheck) checkSpelling(s *syntax, name, kind, first string, want wanted) {
	if want == falseResults {
		return
	}
	for _, v := range c.flag.variants {
		if v.name != "" && strings.Contains(first, v.name[:1]) {
			return
		}
	}
	c.problem(s, name+" answers "+kind+", which is no variant of the flag", "choose a variant with {\"if\": [...]}; "+c.variants)
}

// hasOperator reports whether an expression that is no operation holds an operator, in its items or as one of several members.
func (s *syntax) hasOperator() bool {
	switch s.kind {
	case kindArray:
		return slices.ContainsFunc(s.items, func(item syntax) bool {
			_, _, ok := item.operator()
			return ok || item.hasOperator()
		})
	case kindObject:
		return slices.ContainsFunc(s.names, isOperator)
	default:
		return false
	}
}

// described names a literal for people.
func (s *syntax) described() string {
	switch s.kind {
	case kindArray:
		return "a list"
	case kindObject:
		return "an object"
	case kindNumber:
		return "the number " + s.text
	default:
		if s.value().truthy() {
			return "true"
		}
		return "false"
	}
}

// isOperator reports whether rules have an operator with a name.
func isOperator(name string) bool { return slices.Contains(strings.Split(operatorNames, ", "), name) }
