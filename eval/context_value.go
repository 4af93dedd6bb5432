package eval

import (
	"bytes"
	"slices"
	"strconv"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// decodeWhole reads the context as one value and fills the slots from it. The last member is kept free for $flagd.
func (c *Context) decodeWhole(table *attributeTable) error {
	v, err := c.decodeValue(0)
	if err != nil {
		return err
	}
	members := &compound{}
	for i, name := range v.ref.names {
		if name != flagdProperties {
			members.names = append(members.names, name)
			members.items = append(members.items, v.ref.items[i])
		}
	}
	c.root = value{kind: kindObject, ref: members}
	c.fill(table.root, c.root)
	return nil
}

// decodeValue reads one value of any kind that stands below depth levels.
func (c *Context) decodeValue(depth int) (value, error) {
	switch c.decoder.PeekKind() {
	case '{', '[':
		return c.decodeCompound(depth + 1)
	}
	raw, err := c.decoder.ReadValue()
	if err != nil {
		return value{}, errSyntax
	}
	switch raw.Kind() {
	case 't':
		return boolean(true), nil
	case 'f':
		return boolean(false), nil
	case '"':
		return text(c.unquote(raw)), nil
	case '0':
		n, err := strconv.ParseFloat(c.contentText(len(raw)), 64)
		if err != nil {
			return value{}, errNumberRange
		}
		return number(n), nil
	default:
		return value{}, nil
	}
}

func (c *Context) decodeCompound(depth int) (value, error) {
	if depth > c.depthMax {
		return value{}, errContextDepth
	}
	token, err := c.decoder.ReadToken()
	if err != nil {
		return value{}, errSyntax
	}
	object := token.Kind() == '{'
	firstItem, firstName := len(c.pending), len(c.names)
	for k := c.decoder.PeekKind(); k != '}' && k != ']'; k = c.decoder.PeekKind() {
		if object {
			raw, err := c.decoder.ReadValue()
			if err != nil {
				return value{}, errSyntax
			}
			c.names = append(c.names, c.unquote(raw))
		}
		v, err := c.decodeValue(depth)
		if err != nil {
			return value{}, err
		}
		if object && c.lenient && c.renamed(v, firstItem, firstName) {
			continue
		}
		c.pending = append(c.pending, v)
	}
	if _, err := c.decoder.ReadToken(); err != nil {
		return value{}, errSyntax
	}
	parts := &compound{items: append([]value(nil), c.pending[firstItem:]...)}
	if object {
		parts.names = append([]string(nil), c.names[firstName:]...)
	}
	c.pending, c.names = c.pending[:firstItem], c.names[:firstName]
	if object {
		return value{kind: kindObject, ref: parts}, nil
	}
	return value{kind: kindArray, ref: parts}, nil
}

// renamed reports whether the member just named was there before in its object, and if so gives that one the value v.
func (c *Context) renamed(v value, firstItem, firstName int) bool {
	last := len(c.names) - 1
	i := slices.Index(c.names[firstName:], c.names[last])
	if firstName+i == last {
		return false
	}
	c.pending[firstItem+i] = v
	c.names = c.names[:last]
	return true
}

// unquote returns the contents of the string token that was just read.
func (c *Context) unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 && !c.lenient {
		quoted := c.contentText(len(raw))
		return quoted[1 : len(quoted)-1]
	}
	start := len(c.unescaped)
	c.unescaped, _ = jsontext.AppendUnquote(c.unescaped, raw)
	return alias(c.unescaped[start:])
}

// contentText returns the last n bytes that the decoder read, without copying them.
func (c *Context) contentText(n int) string {
	end := c.decoder.InputOffset()
	return alias(c.content[end-int64(n) : end])
}

// alias returns the bytes of b as a string. They must not change while the string is in use.
func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // Strings of a Context are as short-lived as its buffers.
}

// checkSkipped finds nesting deeper than levels and numbers out of range in valid JSON.
func checkSkipped(raw []byte, levels int) error {
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case b == '"':
			i = endOfString(raw, i)
		case b == '{' || b == '[':
			if levels--; levels < 0 {
				return errContextDepth
			}
		case b == '}' || b == ']':
			levels++
		case b == '-' || '0' <= b && b <= '9':
			end := endOfNumber(raw, i)
			if !numberInRange(raw[i:end]) {
				return errNumberRange
			}
			i = end - 1
		}
	}
	return nil
}

// endOfString returns the index of the quote that closes the string which opens at start.
func endOfString(raw []byte, start int) int {
	i := start + 1
	for raw[i] != '"' {
		if raw[i] == '\\' {
			i++
		}
		i++
	}
	return i
}

func endOfNumber(raw []byte, start int) int {
	for i := start; i < len(raw); i++ {
		switch b := raw[i]; {
		case '0' <= b && b <= '9', b == '-', b == '+', b == '.', b == 'e', b == 'E':
		default:
			return i
		}
	}
	return len(raw)
}

// numberInRange reports whether a number literal fits a float64. Short ones without an exponent always do.
func numberInRange(literal []byte) bool {
	const alwaysFits = 300
	if len(literal) < alwaysFits && !bytes.ContainsAny(literal, "eE") {
		return true
	}
	_, err := strconv.ParseFloat(string(literal), 64)
	return err == nil
}
