package eval

import (
	"strings"
	"unicode/utf8"
)

// applyConcatenate is {"cat": [...]}. The text is built in the Context's scratch memory. Like flagd's engine it trims the result
// of two or more arguments.
func applyConcatenate(c *Context, arguments []value) value {
	start := len(c.scratch)
	for _, argument := range arguments {
		var ok bool
		if c.scratch, ok = argument.appendText(c.scratch); !ok {
			return failure("cat needs strings and numbers")
		}
	}
	if !c.spendText(len(c.scratch) - start) {
		return failure(tooMuchWork)
	}
	s := alias(c.scratch[start:])
	if len(arguments) > 1 {
		s = strings.TrimSpace(s)
	}
	return text(s)
}

func concatenateOne(_ *Context, v value) value {
	if v.kind != kindString {
		return failure("cat needs a list")
	}
	return v
}

const needsSubstring = "substr needs a string, a start and perhaps a length that lie within the string"

// applySubstring is {"substr": [text, start, length]}, counted in characters. A negative start counts from the end; so does a negative
// length, as the place to stop. A start outside the text gives the whole text.
func applySubstring(c *Context, arguments []value) value {
	if len(arguments) < 2 {
		return failure(needsSubstring)
	}
	at := len(c.scratch)
	var ok bool
	if c.scratch, ok = arguments[0].appendText(c.scratch); !ok {
		return failure(needsSubstring)
	}
	if !c.spendText(len(c.scratch) - at) {
		return failure(tooMuchWork)
	}
	s := alias(c.scratch[at:])
	start, ok := arguments[1].operand()
	if !ok {
		return failure(needsSubstring)
	}
	count := utf8.RuneCountInString(s)
	from := int(start)
	if from < 0 {
		from += count
	}
	if from < 0 || from > count {
		return text(s)
	}
	to := count
	if len(arguments) == 3 {
		length, ok := arguments[2].operand()
		if !ok {
			return failure(needsSubstring)
		}
		to = substringEnd(from, int(length), count)
	}
	if to < from {
		return failure(needsSubstring)
	}
	return text(s[byteOffset(s, from):byteOffset(s, to)])
}

func substringEnd(from, length, count int) int {
	if length < 0 {
		return max(count+length, -1)
	}
	return from + min(length, count-from)
}

// byteOffset returns the offset of the n-th character of s.
func byteOffset(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// affix is starts_with or ends_with with a constant affix.
type affix struct {
	name     string
	test     func(s, affix string) bool
	argument node
	constant string
}

func (n *affix) eval(c *Context) value {
	v := n.argument.eval(c)
	switch v.kind {
	case kindError:
		return v
	case kindString:
		return boolean(n.test(v.str, n.constant))
	default:
		return value{}
	}
}

// applyAffix returns starts_with or ends_with: null unless there are exactly two strings.
func applyAffix(test func(s, affix string) bool) func(*Context, []value) value {
	return func(_ *Context, arguments []value) value {
		if len(arguments) != 2 || arguments[0].kind != kindString || arguments[1].kind != kindString {
			return value{}
		}
		return boolean(test(arguments[0].str, arguments[1].str))
	}
}

func nullOne(*Context, value) value { return value{} }
