package eval

import "strings"

const (
	needsTextNeedle = "in needs a string to look for in a string"
	needsNumberIn   = "in needs numbers to compare with a number"
	needsRange      = "in needs numbers in a range"
)

// applyIn is {"in": [needle, haystack]}: part of a string, or element of an array. An element that is itself an array is a range
// [from, to], both included.
func applyIn(c *Context, arguments []value) value {
	if len(arguments) == 0 {
		return failure("in needs something to look for")
	}
	if len(arguments) == 1 {
		return boolean(false)
	}
	needle, haystack := arguments[0], arguments[1]
	switch haystack.kind {
	case kindString:
		if needle.kind != kindString {
			return failure(needsTextNeedle)
		}
		return boolean(strings.Contains(haystack.str, needle.str))
	case kindArray:
		return inArray(c, needle, haystack.ref.items)
	default:
		return boolean(false)
	}
}

func inArray(c *Context, needle value, items []value) value {
	price := 1 + len(needle.str)/bytesPerNode
	for _, item := range items {
		if !c.spend(price) || len(item.str) >= longText && !c.spendText(len(item.str)) {
			return failure(tooMuchWork)
		}
		found := isElement(needle, item)
		if found.kind == kindError || found.num != 0 {
			return found
		}
	}
	return boolean(false)
}

func isElement(needle, item value) value {
	switch {
	case item.kind == kindArray:
		return inRange(needle, item.ref.items)
	case needle.kind == kindNumber:
		n, ok := item.operand()
		if !ok {
			return failure(needsNumberIn)
		}
		return boolean(n == needle.num)
	case needle.kind != item.kind:
		return boolean(false)
	case needle.kind == kindObject:
		return failure("in cannot compare objects")
	case needle.kind == kindString:
		return boolean(needle.str == item.str)
	default:
		return boolean(needle.num == item.num)
	}
}

func inRange(needle value, limits []value) value {
	if len(limits) < 2 {
		return failure(needsRange)
	}
	n, ok := needle.operand()
	if !ok {
		return failure(needsRange)
	}
	from, ok := limits[0].operand()
	if !ok {
		return failure(needsRange)
	}
	// Written so that NaN leaves here too: the upper limit of a range that was left is not looked at.
	if !(n >= from) {
		return boolean(false)
	}
	to, ok := limits[1].operand()
	if !ok {
		return failure(needsRange)
	}
	return boolean(to >= n)
}

// inSet is in with a constant list of strings and numbers, in constant time.
type inSet struct {
	needle   node
	elements int
	strings  map[string]struct{}
	numbers  map[float64]struct{} // a number equals an element that is a number or a string which spells one
}

// newInSet returns nil if the list holds anything but strings and numbers.
func newInSet(needle node, list value) *inSet {
	n := &inSet{needle: needle, elements: len(list.items()), strings: make(map[string]struct{}), numbers: make(map[float64]struct{})}
	for _, item := range list.items() {
		switch item.kind {
		case kindString:
			n.strings[item.str] = struct{}{}
			n.numbers[parseNumber(item.str)] = struct{}{}
		case kindNumber:
			n.numbers[item.num] = struct{}{}
		default:
			return nil
		}
	}
	return n
}

func (n *inSet) eval(c *Context) value {
	v := n.needle.eval(c)
	switch v.kind {
	case kindError:
		return v
	case kindString:
		if len(v.str) >= longText && !c.spendText(len(v.str)) {
			return failure(tooMuchWork)
		}
		_, found := n.strings[v.str]
		return boolean(found)
	case kindNumber:
		_, found := n.numbers[v.num]
		return boolean(found)
	default:
		return boolean(false)
	}
}

// contains says which of the three contains operators is meant.
type contains struct {
	each    bool // what the answer is when every element of the second list was looked at
	stop    bool // whether finding an element ends the search
	invalid bool // the answer for arguments that are not two lists
}

// apply is contains_all, contains_any and contains_none of [list, list].
func (o contains) apply(c *Context, arguments []value) value {
	if len(arguments) != 2 || arguments[0].kind != kindArray || arguments[1].kind != kindArray {
		return boolean(o.invalid)
	}
	for _, wanted := range arguments[1].ref.items {
		found := containsElement(c, arguments[0].ref.items, wanted)
		if found.kind == kindError {
			return found
		}
		if (found.num != 0) == o.stop {
			return boolean(!o.each)
		}
	}
	return boolean(o.each)
}

func (o contains) one(*Context, value) value { return boolean(o.invalid) }

func containsElement(c *Context, items []value, wanted value) value {
	price := 1 + len(wanted.str)/bytesPerNode
	for _, item := range items {
		if !c.spend(price) {
			return failure(tooMuchWork)
		}
		if item.kind != wanted.kind {
			continue
		}
		switch item.kind {
		case kindArray, kindObject:
			return failure("lists of lists or objects cannot be compared")
		case kindString:
			if item.str == wanted.str {
				return boolean(true)
			}
		default:
			if item.num == wanted.num {
				return boolean(true)
			}
		}
	}
	return boolean(false)
}
