package eval

import "slices"

// applyMerge is {"merge": [...]}: one list of all arguments, arrays taken apart.
func applyMerge(c *Context, arguments []value) value {
	merged := make([]value, 0, len(arguments))
	for _, argument := range arguments {
		if !c.spend(1 + len(argument.items())) {
			return failure(tooMuchWork)
		}
		if argument.kind == kindArray {
			merged = append(merged, argument.ref.items...)
		} else {
			merged = append(merged, argument)
		}
	}
	return array(merged)
}

func mergeOne(_ *Context, v value) value {
	if v.kind == kindNull || v.kind == kindObject {
		return failure("merge needs a list")
	}
	return array([]value{v})
}

// applySet is {"set": [object, name, value]}: a copy of the object with one member changed.
func applySet(c *Context, arguments []value) value {
	if len(arguments) == 0 {
		return value{}
	}
	object := arguments[0]
	if len(arguments) < 3 || object.kind != kindObject {
		return object
	}
	name, v := arguments[1], arguments[2]
	if name.kind != kindString {
		return failure("set needs the name of a member")
	}
	executable, ok := c.executable(v)
	if executable {
		return failure(dataAsRule)
	}
	if !ok || !c.spend(len(object.ref.items)*(2+len(name.str)/bytesPerNode)) {
		return failure(tooMuchWork)
	}
	changed := &compound{names: slices.Clone(object.ref.names), items: slices.Clone(object.ref.items)}
	if i := slices.Index(changed.names, name.str); i >= 0 {
		changed.items[i] = v
	} else {
		changed.names = append(changed.names, name.str)
		changed.items = append(changed.items, v)
	}
	return value{kind: kindObject, ref: changed}
}

// iteration is what all operators over the elements of a list share.
type iteration struct {
	subject node // nil if the document names neither a list nor an operation
	body    node
	each    int  // what an element costs, apart from iterations in the body
	priced  work // of the whole
}

// enter evaluates the subject. It returns an array, null, or an error.
func (n *iteration) enter(c *Context) value {
	if n.subject == nil {
		return value{}
	}
	v := n.subject.eval(c)
	switch v.kind {
	case kindNull, kindArray, kindError:
		return v
	default:
		return failure("an iteration needs a list")
	}
}

// enterLenient is enter for the operators that take anything false as an empty list.
func (n *iteration) enterLenient(c *Context) value {
	if n.subject == nil {
		return value{}
	}
	v := n.subject.eval(c)
	switch {
	case v.kind == kindArray || v.kind == kindError:
		return v
	case v.truthy():
		return failure("an iteration needs a list")
	default:
		return value{}
	}
}

// visit evaluates the body with item as the data.
func (n *iteration) visit(c *Context, item value) value {
	if !c.spend(n.each) {
		return failure(tooMuchWork)
	}
	c.scopes = append(c.scopes, item)
	v := n.body.eval(c)
	c.scopes = c.scopes[:len(c.scopes)-1]
	return v
}

type filterNode struct{ iteration }

func (n *filterNode) eval(c *Context) value {
	subject := n.enter(c)
	if subject.kind == kindError {
		return subject
	}
	kept := []value{}
	for _, item := range subject.items() {
		v := n.visit(c, item)
		if v.kind == kindError {
			return v
		}
		if v.truthy() {
			kept = append(kept, item)
		}
	}
	return array(kept)
}

type mapNode struct{ iteration }

func (n *mapNode) eval(c *Context) value {
	subject := n.enter(c)
	if subject.kind == kindError {
		return subject
	}
	items := subject.items()
	mapped := make([]value, len(items))
	for i, item := range items {
		mapped[i] = n.visit(c, item)
		if mapped[i].kind == kindError {
			return mapped[i]
		}
	}
	return array(mapped)
}

// anyNode is some, and none when negate is set.
type anyNode struct {
	iteration
	negate bool
}

func (n *anyNode) eval(c *Context) value {
	subject := n.enterLenient(c)
	if subject.kind == kindError {
		return subject
	}
	for _, item := range subject.items() {
		v := n.visit(c, item)
		if v.kind == kindError {
			return v
		}
		if v.truthy() {
			return boolean(!n.negate)
		}
	}
	return boolean(n.negate)
}

type allNode struct{ iteration }

func (n *allNode) eval(c *Context) value {
	subject := n.enterLenient(c)
	if subject.kind == kindError {
		return subject
	}
	for _, item := range subject.items() {
		v := n.visit(c, item)
		if v.kind == kindError {
			return v
		}
		if !v.truthy() {
			return boolean(false)
		}
	}
	return boolean(len(subject.items()) > 0)
}

// reduceNode is {"reduce": [list, body, initial]}. The accumulator keeps the type of the initial value; null elements are skipped.
type reduceNode struct {
	iteration
	initial node
}

func (n *reduceNode) eval(c *Context) value {
	accumulator := n.initial.eval(c)
	switch accumulator.kind {
	case kindError:
		return accumulator
	case kindBool, kindNumber, kindString:
	default:
		return failure("reduce needs a boolean, number or string to start with")
	}
	subject := n.enter(c)
	if subject.kind == kindError {
		return subject
	}
	if subject.kind == kindNull {
		return number(0)
	}
	names := []string{"current", "accumulator", "valueType"}
	valueType := text(reduceTypes[accumulator.kind])
	for _, item := range subject.items() {
		if item.kind == kindNull {
			continue
		}
		step := value{kind: kindObject, ref: &compound{names: names, items: []value{item, accumulator, valueType}}}
		v := n.visit(c, step)
		if v.kind == kindError {
			return v
		}
		if accumulator = accumulate(c, accumulator.kind, v); accumulator.kind == kindError {
			return accumulator
		}
	}
	return accumulator
}

// reduceTypes names the type of an accumulator for the body of reduce, which can read it as valueType.
var reduceTypes = [...]string{kindBool: "bool", kindNumber: "number", kindString: "string"}

// accumulate converts the result of the body to the type of the accumulator.
func accumulate(c *Context, k kind, v value) value {
	switch k {
	case kindBool:
		return boolean(v.truthy())
	case kindNumber:
		if len(v.str) >= longText && !c.spendText(len(v.str)) {
			return failure(tooMuchWork)
		}
		return numberOne(c, v)
	default:
		if v.kind == kindString {
			return v
		}
		b, ok := v.appendText(nil)
		if !ok {
			return failure("reduce needs strings to go on with")
		}
		return text(string(b))
	}
}
