package eval

import (
	"slices"
	"strconv"
	"strings"
)

// relative reports whether the argument of a var means the element itself, which flagd's engine never looks up on outer data.
func relative(argument *syntax) bool {
	return argument.kind == kindString && (argument.text == "" || strings.HasPrefix(argument.text, "."))
}

// compileVar compiles {"var": argument}.
func (c *ruleCompiler) compileVar(argument *syntax, in scope) node {
	c.checkVar(argument)
	n := c.compileRead(argument, in, in.depth)
	if relative(argument) {
		return n
	}
	for _, depth := range slices.Backward(in.outer) {
		outer := c.compileRead(argument, scope{depth: depth}, depth)
		n = outerFirst{outer: outer, inner: n}
	}
	return n
}

// checkVar refuses members of $flagd that do not exist.
func (c *ruleCompiler) checkVar(argument *syntax) {
	if argument.kind != kindString {
		return
	}
	member, ok := strings.CutPrefix(argument.text, flagdProperties+".")
	if ok && member != "flagKey" && member != "timestamp" {
		c.problem(argument, "$flagd has no member "+strconv.Quote(member), "use $flagd.flagKey or $flagd.timestamp")
	}
}

// compileRead compiles a var that reads the data of one depth. Computed names are evaluated in scope in.
func (c *ruleCompiler) compileRead(argument *syntax, in scope, depth int) node {
	switch argument.kind {
	case kindNull:
		return readNull(depth)
	case kindString:
		return c.readPath(splitPath(argument.text), depth)
	case kindNumber:
		name := strconv.FormatFloat(argument.number(), 'f', -1, 64)
		return c.readPath(splitPath(name), depth)
	case kindArray:
		return c.compileReadList(argument, in, depth)
	case kindObject:
		return readComputed{depth: depth, name: c.compile(argument, in)}
	default:
		c.problem(argument, "var needs the name of an attribute", "write it as a string")
		return constant{failure("var needs the name of an attribute")}
	}
}

// readNull compiles {"var": null}: data that is a single value, and null for an array or object.
func readNull(depth int) node {
	if depth == 0 {
		return constant{}
	}
	return readComputed{depth: depth, name: constant{}}
}

func (c *ruleCompiler) compileReadList(argument *syntax, in scope, depth int) node {
	if len(argument.items) == 0 {
		return c.readPath(nil, depth)
	}
	first := &argument.items[0]
	if first.kind != kindString {
		if first.kind != kindObject {
			c.problem(first, "var needs the name of an attribute", "write it as a string")
		}
		return readComputed{depth: depth, name: c.compile(argument, in)}
	}
	c.checkVar(first)
	read := c.readPath(splitPath(first.text), depth)
	switch len(argument.items) {
	case 1:
		return read
	case 2:
		return withDefault{read: read, fallback: c.compile(&argument.items[1], in)}
	default:
		return readComputed{depth: depth, name: c.compile(argument, in)}
	}
}

// readPath compiles the read of a known path at a depth.
func (c *ruleCompiler) readPath(path []string, depth int) node {
	if depth > 0 {
		return readScope{depth: depth, path: path}
	}
	if len(path) == 0 {
		return readWhole{}
	}
	if path[0] == flagdProperties {
		return readFlagdProperties(path[1:])
	}
	return &readSlot{slot: c.attributes.slot(path), name: strings.Join(path, ".")}
}

func readFlagdProperties(path []string) node {
	switch {
	case len(path) == 0:
		return readProperties{}
	case len(path) == 1 && path[0] == "flagKey":
		return readFlagKey{}
	case len(path) == 1 && path[0] == "timestamp":
		return readTimestamp{}
	default:
		return constant{}
	}
}

// compileMissing compiles {"missing": names}.
func (c *ruleCompiler) compileMissing(arguments *syntax, in scope) node {
	if arguments.kind == kindString {
		n := c.missingOf([]syntax{*arguments}, in)
		return &n
	}
	if arguments.kind == kindArray && allStrings(arguments.items) {
		n := c.missingOf(arguments.items, in)
		return &n
	}
	return missingComputed{depth: in.depth, names: c.compile(arguments, in)}
}

// compileMissingSome compiles {"missing_some": [needed, names]}.
func (c *ruleCompiler) compileMissingSome(arguments *syntax, in scope) node {
	if arguments.kind == kindArray {
		c.checkCount("missing_some", arguments, 2, 2)
	}
	if len(arguments.items) >= 2 {
		needed, names := &arguments.items[0], &arguments.items[1]
		if needed.kind == kindNumber && names.kind == kindArray && allStrings(names.items) {
			return &missingSome{needed: int(needed.number()), names: c.missingOf(names.items, in)}
		}
	}
	return missingSomeComputed{depth: in.depth, arguments: c.compile(arguments, in)}
}

func (c *ruleCompiler) missingOf(names []syntax, in scope) missing {
	n := missing{}
	for i := range names {
		n.names = append(n.names, names[i].value())
		n.reads = append(n.reads, c.compileRead(&names[i], in, in.depth))
	}
	return n
}

func allStrings(items []syntax) bool {
	return !slices.ContainsFunc(items, func(s syntax) bool { return s.kind != kindString })
}
