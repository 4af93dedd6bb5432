package eval

import (
	"strconv"
	"strings"
)

// ruleCompiler turns the rule of one document into nodes.
type ruleCompiler struct {
	compatibility Compatibility
	attributes    *attributeWriter
	segment       func(name string) *segment // nil if there is no such segment
	report        func(at *syntax, p Problem)

	segments   []string // names of the segments that were used, with repetitions
	limit      int      // how many nodes one evaluation may visit
	overworked bool     // more was reported already
	folding    Context  // evaluates what is known; what it may spend is for the whole document
	folded     bool     // folding is in use

	inlined int // how many segments around the expression are compiled in place
	size    int // how many expressions were compiled, those of segments as often as they are used
}

// maxExpressions bounds the size of a rule, so that neither compiling it nor evaluating it takes long: segments that use others twice
// double it each time. A document that may be published cannot reach it by itself.
const maxExpressions = 1 << 18

// compileRule compiles the whole rule of a document.
func (c *ruleCompiler) compileRule(s *syntax) node {
	n := c.compile(s, scope{})
	if c.size <= maxExpressions {
		c.checkWork(s, workOf(n), "the rule")
		return n
	}
	const reason = "the rule is too large with the segments that it uses"
	c.problem(s, reason, "use each segment once, or split the rule with prerequisites")
	return constant{failure(reason)}
}

// scope says what var reads at a place of a rule.
type scope struct {
	depth int // 0: the evaluation context; n: the element of the n-th iteration around
	// outer are the depths that flagd searches before depth itself, for a var inside filter, none and some.
	outer []int
	// inner are depths that are searched so by iterations inside this one only.
	inner []int
}

// around returns the scope of the body of an iteration at s.
func (s scope) around(outer bool) scope {
	next := scope{depth: s.depth + 1}
	next.outer = append(append(next.outer, s.outer...), s.inner...)
	if outer {
		next.outer = append(next.outer, s.depth)
	}
	return next
}

// problem reports an error in strict mode and a warning with CompatibilityFlagd, which loads the document all the same.
func (c *ruleCompiler) problem(at *syntax, reason, hint string) {
	c.report(at, Problem{Reason: reason, Hint: hint, Warning: c.compatibility == CompatibilityFlagd})
}

func (c *ruleCompiler) warning(at *syntax, reason, hint string) {
	c.report(at, Problem{Reason: reason, Hint: hint, Warning: true})
}

// compile compiles any expression. Of a rule that is too large, which compileRule refuses, it leaves out the rest.
func (c *ruleCompiler) compile(s *syntax, in scope) node {
	if c.size++; c.size > maxExpressions {
		return constant{}
	}
	switch s.kind {
	case kindArray:
		return c.compileArray(s, in)
	case kindObject:
		return c.compileObject(s, in)
	default:
		return constant{s.value()}
	}
}

func (c *ruleCompiler) compileArray(s *syntax, in scope) node {
	return listOf(c.compileAll(s.items, in))
}

func (c *ruleCompiler) compileAll(items []syntax, in scope) []node {
	nodes := make([]node, len(items))
	for i := range items {
		nodes[i] = c.compile(&items[i], in)
	}
	return nodes
}

// listOf returns the list of what nodes evaluate to.
func listOf(nodes []node) node {
	values := make([]value, len(nodes))
	for i, n := range nodes {
		v, known := isConstant(n)
		if !known || v.kind == kindError {
			return elements(nodes)
		}
		values[i] = v
	}
	return constant{array(values)}
}

func (c *ruleCompiler) compileObject(s *syntax, in scope) node {
	name, arguments, ok := s.operator()
	if !ok {
		c.checkMembers(s)
		return constant{s.value()}
	}
	if name == "$ref" {
		return c.compileReference(s, arguments, in)
	}
	return c.compileOperator(s, name, arguments, in)
}

// checkMembers reports an object with several members, which is data: none of its operators is evaluated. It often comes from a merge
// patch, which adds an operator where another one was to be replaced.
func (c *ruleCompiler) checkMembers(s *syntax) {
	const hint = "nest the operators, or combine them with \"and\""
	switch {
	case len(s.names) < 2:
	case s.hasOperator():
		c.problem(s, "a rule has one operator, this one has "+strings.Join(s.names, ", "), hint)
	default:
		c.warning(s, "an object with several members is data, its operators are not evaluated", hint)
	}
}

func (c *ruleCompiler) compileOperator(s *syntax, name string, arguments *syntax, in scope) node {
	arguments = c.resolve(arguments)
	switch name {
	case "var":
		return c.compileVar(arguments, in)
	case "missing":
		return c.compileMissing(arguments, in)
	case "missing_some":
		return c.compileMissingSome(arguments, in)
	case "if", "?:":
		return c.compileConditional(name, arguments, in)
	case "and", "or":
		return c.compileJunction(name, arguments, in)
	case "filter", "map", "reduce", "all", "none", "some":
		return c.compileIteration(name, arguments, in)
	case "fractional":
		return c.compileFractional(arguments, in)
	}
	o, ok := operatorOf(name)
	if !ok {
		c.problem(s, "the operator "+strconv.Quote(name)+" does not exist", "use one of "+operatorNames)
		return constant{failure("the operator " + strconv.Quote(name) + " does not exist")}
	}
	return c.compileCall(name, o, arguments, in)
}

// resolve follows references that stand where an operator expects its list of arguments, so that a segment can be such a list.
func (c *ruleCompiler) resolve(s *syntax) *syntax {
	for range maxDocumentDepth {
		name, target, ok := s.operator()
		if !ok || name != "$ref" || target.kind != kindString {
			return s
		}
		referenced := c.segment(target.text)
		if referenced == nil || referenced.rule == nil || referenced.rule.kind != kindArray {
			return s
		}
		c.segments = append(c.segments, target.text)
		s = referenced.rule
	}
	return s
}

// compileReference compiles {"$ref": name}. Outside iterations all flags share the nodes of a segment.
func (c *ruleCompiler) compileReference(s, target *syntax, in scope) node {
	missing := failure("the operator \"$ref\" names no segment")
	if target.kind != kindString {
		c.problem(s, "$ref needs the name of a segment", "write {\"$ref\": \"name\"}")
		return constant{missing}
	}
	c.segments = append(c.segments, target.text)
	referenced := c.segment(target.text)
	if referenced != nil && referenced.cycle != "" {
		c.problem(s, "the segment refers to itself: "+referenced.cycle, "remove one of the references")
		return constant{missing}
	}
	if referenced == nil || referenced.rule == nil {
		c.problem(s, noSegment(target.text), "define it under $evaluators, or remove the reference")
		return constant{missing}
	}
	c.segments = append(c.segments, referenced.segments...)
	if in.depth == 0 {
		c.size += referenced.size
		return referenced.used(referenced.node, referenced.work)
	}
	if c.inlined >= maxDocumentDepth {
		return constant{missing}
	}
	n := c.inline(referenced.rule, in)
	return referenced.used(n, workOf(n))
}

// inline compiles the rule of a segment in place. Its problems are reported with the segment.
func (c *ruleCompiler) inline(rule *syntax, in scope) node {
	report, overworked := c.report, c.overworked
	c.report = func(*syntax, Problem) {}
	c.inlined++
	n := c.compile(rule, in)
	c.inlined--
	c.report, c.overworked = report, overworked
	return n
}

// compileCall compiles an operator that evaluates all its arguments.
func (c *ruleCompiler) compileCall(name string, o operator, arguments *syntax, in scope) node {
	if arguments.kind != kindArray {
		argument := c.compile(arguments, in)
		single := o.single
		if single == nil {
			single = func(*Context, value) value { return failure(name + " needs a list of arguments") }
		}
		if o.least > 1 && arguments.kind != kindObject {
			report := c.warning
			if o.single == nil {
				report = c.problem
			}
			report(arguments, name+" needs a list of arguments", "write {"+strconv.Quote(name)+": [...]}")
		}
		return c.fold(&callOne{name: name, list: o.list, single: single, argument: argument}, argument)
	}
	c.checkCount(name, arguments, o.least, o.most)
	c.checkText(name, arguments)
	nodes := c.compileAll(arguments.items, in)
	if compareTest(name) != nil {
		if n := newCompareTime(name, o.list, nodes); n != nil {
			return n
		}
	}
	if n := specialised(name, nodes); n != nil {
		return c.fold(n, nodes...)
	}
	n := c.fold(&call{name: name, apply: o.list, arguments: nodes}, nodes...)
	if v, ok := isConstant(n); ok && v.kind == kindError {
		c.problem(arguments, "this always fails: "+v.str, "correct the arguments of "+name)
	}
	return n
}

func (c *ruleCompiler) checkCount(name string, arguments *syntax, least, most int) {
	n := len(arguments.items)
	if n >= least && (most == 0 || n <= most) {
		return
	}
	want := "at least " + strconv.Itoa(least)
	switch {
	case most == least:
		want = "exactly " + strconv.Itoa(least)
	case most > 0:
		want = strconv.Itoa(least) + " to " + strconv.Itoa(most)
	}
	reason := name + " needs " + want + " arguments, not " + strconv.Itoa(n)
	if name == "sem_ver" || name == "starts_with" || name == "ends_with" {
		c.problem(arguments, reason, "with another number it is always null")
		return
	}
	if n < least && least > 1 {
		c.problem(arguments, reason, "add what is missing")
		return
	}
	c.warning(arguments, reason, "")
}

// checkText finds constants that make flagd's own text operators null for every context.
func (c *ruleCompiler) checkText(name string, arguments *syntax) {
	for i := range arguments.items {
		s := &arguments.items[i]
		switch {
		case s.kind == kindObject:
		case name == "starts_with" || name == "ends_with":
			if s.kind != kindString {
				c.problem(s, name+" needs strings", "with anything else it is always null")
			}
		case name == "sem_ver" && i == 1:
			if s.kind != kindString || versionTestOf(s.text) == nil {
				c.problem(s, "sem_ver has no such operator", "use one of =, !=, <, <=, >, >=, ^, ~")
			}
		case name == "sem_ver" && i != 1:
			if _, ok := unbounded().version(s.value()); !ok {
				c.problem(s, "this is not a semantic version", "write it as major.minor.patch, for example 1.2.3")
			}
		}
	}
}

// foldingWork bounds what a compiler spends on evaluating the parts of one document that are known.
const foldingWork = DefaultMaxWork

// fold replaces n by its value if all arguments are known, unless that takes much work.
func (c *ruleCompiler) fold(n node, arguments ...node) node {
	for _, argument := range arguments {
		if _, ok := isConstant(argument); !ok {
			return n
		}
	}
	if !c.folded {
		c.folded, c.folding.left = true, foldingWork
	}
	c.folding.scratch = c.folding.scratch[:0]
	v := n.eval(&c.folding)
	if c.folding.left < 0 {
		return n
	}
	return constant{own(v)}
}

// unbounded returns a Context for what is done once, when a document is compiled.
func unbounded() *Context { return &Context{left: endlessWork} }

// own copies a string out of the memory of a Context.
func own(v value) value {
	v.str = strings.Clone(v.str)
	return v
}

// specialised returns a faster node for common arguments, or nil.
func specialised(name string, arguments []node) node {
	if name == "!" && len(arguments) == 1 {
		return not{arguments[0]}
	}
	if name == "!!" && len(arguments) == 1 {
		return truth{arguments[0]}
	}
	if name == "sem_ver" {
		return specialisedVersion(arguments)
	}
	if len(arguments) != 2 {
		return nil
	}
	last, known := isConstant(arguments[1])
	switch {
	case name == "in" && known && last.kind == kindArray:
		if set := newInSet(arguments[0], last); set != nil {
			return set
		}
	case name == "starts_with" && known && last.kind == kindString:
		return &affix{name: name, test: strings.HasPrefix, argument: arguments[0], constant: last.str}
	case name == "ends_with" && known && last.kind == kindString:
		return &affix{name: name, test: strings.HasSuffix, argument: arguments[0], constant: last.str}
	}
	if test := compareTest(name); test != nil {
		return specialisedCompare(name, test, arguments)
	}
	return nil
}

func specialisedCompare(name string, test func(a, b value) bool, arguments []node) node {
	if name[0] == '=' || name[0] == '!' {
		for i, argument := range arguments {
			if v, ok := isConstant(argument); ok && v.kind == kindString {
				return &equalsText{argument: arguments[1-i], constant: v, strict: len(name) == 3, negate: name[0] == '!'}
			}
		}
	}
	return &compare{name: name, test: test, a: arguments[0], b: arguments[1]}
}

func specialisedVersion(arguments []node) node {
	if len(arguments) != 3 {
		return nil
	}
	operator, ok := isConstant(arguments[1])
	if !ok || operator.kind != kindString {
		return nil
	}
	test := versionTestOf(operator.str)
	if test == nil {
		return nil
	}
	target, ok := isConstant(arguments[2])
	if !ok {
		return nil
	}
	version, ok := unbounded().version(target)
	if !ok {
		return nil
	}
	return &versionCompare{argument: arguments[0], operator: operator.str, test: test, constant: strings.Clone(version)}
}
