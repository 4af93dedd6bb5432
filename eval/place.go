package eval

import (
	"bytes"
	"unicode/utf8"
)

// CheckJSON reports whether data is exactly one JSON value. If it is not, the problem has the line and column.
func CheckJSON(data []byte) (p Problem, ok bool) {
	if _, err := parseSyntax(data, false); err != nil {
		return syntaxProblem(data, err), false
	}
	return Problem{}, true
}

// Locate returns the 1-based line and column of the value that a JSON pointer (RFC 6901) leads to in data, or of the innermost value on the
// way that exists. Of data that is not JSON it is the first of both. Columns count bytes.
func Locate(data []byte, pointer string) (line, column int) {
	p, err := parseSyntax(data, true)
	if err != nil {
		return 1, 1
	}
	return newLines(data).position(p.root.find(pointer).start)
}

// CheckEncoding reports whether data is UTF-8 without a byte order mark, which every document has to be. If it is not, the problem says what to do.
func CheckEncoding(data []byte) (p Problem, ok bool) {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		p = Problem{Reason: "the file begins with a byte order mark", Hint: "save it as UTF-8 without BOM"}
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		p = Problem{Reason: "the file is UTF-16", Hint: "save it as UTF-8 without BOM"}
	default:
		at, found := firstInvalid(data)
		if !found {
			return Problem{}, true
		}
		p = Problem{Reason: "this character is not UTF-8", Hint: "save the file as UTF-8"}
		p.Line, p.Column = newLines(data).position(at)
		return p, false
	}
	p.Line, p.Column = 1, 1
	return p, false
}

// firstInvalid returns the offset of the first byte that is not UTF-8.
func firstInvalid(data []byte) (at int, found bool) {
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			return at, true
		}
		at += size
	}
	return 0, false
}
