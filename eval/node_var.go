package eval

import "strconv"

// readSlot is {"var": name} on the evaluation context.
type readSlot struct {
	slot int
	name string
}

func (n *readSlot) eval(c *Context) value { return c.slot(n.slot) }

// readWhole is {"var": ""} on the evaluation context.
type readWhole struct{}

func (readWhole) eval(c *Context) value { return c.whole() }

// readTimestamp is {"var": "$flagd.timestamp"}.
type readTimestamp struct{}

func (readTimestamp) eval(c *Context) value {
	c.clock.unknown = true
	return number(float64(c.now))
}

// readFlagKey is {"var": "$flagd.flagKey"}. It is not a constant, because flags share the rules of a segment.
type readFlagKey struct{}

func (readFlagKey) eval(c *Context) value { return text(c.flag.key) }

// readProperties is {"var": "$flagd"}.
type readProperties struct{}

func (readProperties) eval(c *Context) value { return c.flagdProperties() }

// readScope is {"var": name} inside the body of an iteration: the data is the element.
type readScope struct {
	depth int
	path  []string
}

func (n readScope) eval(c *Context) value { return c.walk(c.scopes[n.depth-1], n.path) }

// withDefault is {"var": [name, default]}. The default is evaluated even if it is not needed, so that its errors do not depend on data.
type withDefault struct{ read, fallback node }

func (n withDefault) eval(c *Context) value {
	fallback := n.fallback.eval(c)
	if fallback.kind == kindError {
		return fallback
	}
	if v := n.read.eval(c); v.kind != kindNull {
		return v
	}
	return fallback
}

// readComputed is {"var": expression}: the name is known only when the rule runs.
type readComputed struct {
	depth int
	name  node
}

func (n readComputed) eval(c *Context) value {
	name := n.name.eval(c)
	if name.kind == kindError {
		return name
	}
	return c.lookup(c.data(n.depth), name)
}

// lookup is what var does with a name that was computed.
func (c *Context) lookup(data, name value) value {
	var fallback value
	switch name.kind {
	case kindNull:
		if data.kind == kindArray || data.kind == kindObject {
			return value{}
		}
		return data
	case kindBool:
		if data.kind == kindNull {
			return value{}
		}
	case kindNumber:
		name = text(strconv.FormatFloat(name.num, 'f', -1, 64))
	case kindArray:
		parts := name.ref.items
		if len(parts) == 0 {
			return data
		}
		if len(parts) == 2 {
			fallback = parts[1]
		}
		name = parts[0]
	default:
	}
	if name.kind != kindString {
		return failure("var needs the name of an attribute")
	}
	if len(name.str) >= longText && !c.spend(len(name.str)) { // splitting takes longer than reading
		return failure(tooMuchWork)
	}
	if v := c.walk(data, splitPath(name.str)); v.kind != kindNull {
		return v
	}
	return fallback
}

// outerFirst is a var inside the body of filter, none or some: flagd resolves it on the data around the iteration first, and only when
// it is null there on the element.
type outerFirst struct{ outer, inner node }

func (n outerFirst) eval(c *Context) value {
	v := n.outer.eval(c)
	if v.kind == kindNull {
		return n.inner.eval(c)
	}
	switch executable, ok := c.executable(v); {
	case executable:
		return failure(dataAsRule)
	case !ok:
		return failure(tooMuchWork)
	}
	return v
}

// data returns what var reads at a depth: 0 is the evaluation context, n the element of the n-th iteration around.
func (c *Context) data(depth int) value {
	if depth == 0 {
		return c.whole()
	}
	return c.scopes[depth-1]
}

// whole returns the evaluation context with its $flagd member, which depends on the flag.
func (c *Context) whole() value {
	if c.root.ref == nil {
		c.decodeRoot()
	}
	if c.rootFlag != c.flag {
		c.rootFlag = c.flag
		c.root.ref.items[len(c.root.ref.items)-1] = c.flagdProperties()
	}
	return c.root
}

func (c *Context) flagdProperties() value {
	c.clock.unknown = true
	return value{kind: kindObject, ref: &compound{
		names: []string{"flagKey", "timestamp"},
		items: []value{text(c.flag.key), number(float64(c.now))},
	}}
}

// missing is {"missing": [name, ...]} with constant names. reads is parallel to names.
type missing struct {
	names []value
	reads []node
}

func (n *missing) eval(c *Context) value {
	absent := []value{}
	for i, read := range n.reads {
		if read.eval(c).kind == kindNull {
			absent = append(absent, n.names[i])
		}
	}
	return array(absent)
}

// missingSome is {"missing_some": [needed, [name, ...]]} with constant arguments.
type missingSome struct {
	needed int
	names  missing
}

func (n *missingSome) eval(c *Context) value {
	absent := n.names.eval(c)
	if n.needed > len(n.names.names)-len(absent.ref.items) {
		return absent
	}
	return array(nil)
}

// missingComputed is missing with names that are known only when the rule runs.
type missingComputed struct {
	depth int
	names node
}

func (n missingComputed) eval(c *Context) value {
	names := n.names.eval(c)
	switch names.kind {
	case kindError:
		return names
	case kindString:
		return c.absentOf(c.data(n.depth), []value{names})
	case kindArray:
		return c.absentOf(c.data(n.depth), names.ref.items)
	default:
		return failure("missing needs a list of names")
	}
}

// missingSomeComputed is missing_some with arguments that are known only when the rule runs.
type missingSomeComputed struct {
	depth     int
	arguments node
}

func (n missingSomeComputed) eval(c *Context) value {
	arguments := n.arguments.eval(c)
	if arguments.kind == kindError {
		return arguments
	}
	parts := arguments.items()
	if len(parts) < 2 || parts[1].kind != kindArray {
		return failure("missing_some needs a number and a list of names")
	}
	needed, ok := parts[0].operand()
	if !ok {
		return failure("missing_some needs a number and a list of names")
	}
	absent := c.absentOf(c.data(n.depth), parts[1].ref.items)
	if absent.kind == kindError || int(needed) > len(parts[1].ref.items)-len(absent.ref.items) {
		return absent
	}
	return array(nil)
}

// absentOf returns the names that are null in data.
func (c *Context) absentOf(data value, names []value) value {
	absent := []value{}
	for _, name := range names {
		if !c.spend(4) {
			return failure(tooMuchWork)
		}
		switch v := c.lookup(data, name); v.kind {
		case kindError:
			return v
		case kindNull:
			absent = append(absent, name)
		default:
		}
	}
	return array(absent)
}
