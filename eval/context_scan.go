package eval

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// endOfContent is what peek returns when everything has been read. It begins no JSON value.
const endOfContent = 0

// peek skips white space and returns the next byte.
func (c *Context) peek() byte {
	for c.at < len(c.content) {
		switch b := c.content[c.at]; b {
		case ' ', '\t', '\r', '\n':
			c.at++
		case endOfContent:
			return '?' // A zero byte is no end.
		default:
			return b
		}
	}
	return endOfContent
}

// scanLiteral reads true, false or null.
func (c *Context) scanLiteral(literal string) error {
	if end := c.at + len(literal); end <= len(c.content) && string(c.content[c.at:end]) == literal {
		c.at = end
		return nil
	}
	return errSyntax
}

// scanString reads a string and returns its contents.
func (c *Context) scanString() (string, error) {
	start := c.at + 1
	ascii := true
	for i := plainUntil(c.content, start); i < len(c.content); i++ {
		switch b := c.content[i]; {
		case b == '"':
			c.at = i + 1
			contents := alias(c.content[start:i])
			if ascii || utf8.ValidString(contents) {
				return contents, nil
			}
			return c.unquote(start-1, i+1)
		case b == '\\':
			return c.scanEscaped(start, i)
		case b < ' ':
			return "", errSyntax
		case b >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", errSyntax
}

// plainUntil returns how far text is plain from an offset on, as far as that is seen eight bytes at a time: no quotation mark or backslash, no control
// character, and ASCII.
func plainUntil(text []byte, from int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; from+8 <= len(text); from += 8 {
		w := binary.LittleEndian.Uint64(text[from:])
		quotes, slashes := w^(each*'"'), w^(each*'\\')
		// The lowest of the bits that are left is exact: a subtraction borrows from the next byte only where it has found something.
		if found := ((quotes-each)&^quotes | (slashes-each)&^slashes | (w-each*' ')&^w | w) & high; found != 0 {
			return from + bits.TrailingZeros64(found)/8
		}
	}
	return from
}

// scanEscaped reads a string whose first backslash stands at i.
func (c *Context) scanEscaped(start, i int) (string, error) {
	for ; i < len(c.content); i++ {
		switch b := c.content[i]; {
		case b == '"':
			c.at = i + 1
			return c.unquote(start-1, i+1)
		case b == '\\':
			i++
		case b < ' ':
			return "", errSyntax
		}
	}
	return "", errSyntax
}

// unquote returns the contents of the quoted string between two offsets. What is not UTF-8, and half a surrogate pair, becomes U+FFFD.
func (c *Context) unquote(from, to int) (string, error) {
	start := len(c.unescaped)
	var err error
	c.unescaped, err = jsontext.AppendUnquote(c.unescaped, c.content[from:to])
	if err != nil && !isInvalidText(c.content[from:to]) {
		return "", errSyntax
	}
	return alias(c.unescaped[start:]), nil
}

// isInvalidText reports whether a quoted string is JSON but for characters that are none.
func isInvalidText(quoted []byte) bool {
	return jsontext.Value(quoted).IsValid(jsontext.AllowInvalidUTF8(true))
}

// exactDigits is how many decimal digits an integer may have so that it surely is a 64-bit floating-point number.
const exactDigits = 15

// scanNumber reads a number.
func (c *Context) scanNumber() (float64, error) {
	start := c.at
	negative := c.content[c.at] == '-'
	if negative {
		c.at++
	}
	first := c.at
	whole, digits := c.scanDigits()
	switch {
	case digits == 0:
		return 0, errSyntax
	case c.content[first] == '0':
		c.at, whole, digits = first+1, 0, 1 // A number that begins with 0 ends there; what follows it is not part of it.
	}
	integer := true
	if c.at < len(c.content) && c.content[c.at] == '.' {
		c.at++
		integer = false
		if c.skipDigits() == 0 {
			return 0, errSyntax
		}
	}
	if c.at < len(c.content) && c.content[c.at]|0x20 == 'e' {
		c.at++
		integer = false
		if c.at < len(c.content) && (c.content[c.at] == '+' || c.content[c.at] == '-') {
			c.at++
		}
		if c.skipDigits() == 0 {
			return 0, errSyntax
		}
	}
	if integer && digits <= exactDigits {
		if negative {
			return -float64(whole), nil
		}
		return float64(whole), nil
	}
	n, err := strconv.ParseFloat(alias(c.content[start:c.at]), 64)
	if err != nil {
		return 0, errNumberRange
	}
	return n, nil
}

// scanDigits reads digits and returns how many there are and, if they are not many, what they spell.
func (c *Context) scanDigits() (n uint64, digits int) {
	start := c.at
	for c.at < len(c.content) && '0' <= c.content[c.at] && c.content[c.at] <= '9' {
		n = n*10 + uint64(c.content[c.at]-'0')
		c.at++
	}
	return n, c.at - start
}

func (c *Context) skipDigits() int {
	_, digits := c.scanDigits()
	return digits
}

// skip reads a value that no rule reads and that stands below depth levels; it is checked all the same.
func (c *Context) skip(depth int) error {
	switch b := c.peek(); b {
	case '"':
		_, err := c.scanString()
		return err
	case '{':
		if depth++; depth > c.depthMax {
			return errContextDepth
		}
		o := c.openObject()
		for o.next(c) {
			o.err = c.skip(depth)
		}
		return o.close(c)
	case '[':
		if depth++; depth > c.depthMax {
			return errContextDepth
		}
		l := c.openList()
		for l.next(c) {
			l.err = c.skip(depth)
		}
		return l.err
	default:
		_, err := c.scanScalar(b)
		return err
	}
}

// scanScalar reads a number, a boolean or null that begins with b.
func (c *Context) scanScalar(b byte) (value, error) {
	switch {
	case b == 't':
		return boolean(true), c.scanLiteral("true")
	case b == 'f':
		return boolean(false), c.scanLiteral("false")
	case b == 'n':
		return value{}, c.scanLiteral("null")
	case b == '-', '0' <= b && b <= '9':
		n, err := c.scanNumber()
		return number(n), err
	default:
		return value{}, errSyntax
	}
}

// alias returns the bytes of b as a string. They must not change while the string is in use.
func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // Strings of a Context are as short-lived as its buffers.
}
