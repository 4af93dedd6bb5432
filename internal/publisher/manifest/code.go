package manifest

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// key is what the generators make a name of without leaving anything that is none.
var key = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)

// identifier reports whether the generators make a name of a key.
func identifier(s string) bool { return key.MatchString(s) }

// literal returns why a value cannot be written into source code as the generators do, or nil. They put it between quotes without escaping, into
// comments of one line and of several, and read it as a floating-point number.
func literal(v jsontext.Value) error {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	for {
		token, err := d.ReadToken()
		switch {
		case err == io.EOF: //nolint:errorlint // never wrapped
			return nil
		case err != nil:
			return errors.New("has a default value that is not JSON")
		case token.Kind() == '"' && !harmless(token.String()):
			return errors.New("has a default value that generated code cannot hold: a quotation mark, backslash, line break, \"*/\" or " +
				"invisible character stands in it")
		case token.Kind() == 'n':
			return errors.New("has a default value with null in it, which generated code cannot hold")
		case token.Kind() == '0' && !exact(jsontext.Value(token.String())):
			return errors.New("has a default value with an integer above 2^53, of which digits would be lost")
		}
	}
}

// harmless reports whether text stays what it is in a string without escapes, in one with the escapes of Go, and in a comment.
func harmless(s string) bool {
	return !strings.ContainsAny(s, `"\`) && !strings.Contains(s, "*/") && !strings.ContainsFunc(s, breaking) && !strings.ContainsFunc(s, longEscape)
}

// longEscape reports whether Go writes a character as \U and eight digits, which in JavaScript are just that text.
func longEscape(r rune) bool { return r > '\uFFFF' && !strconv.IsPrint(r) }

// breaking reports whether a character ends a line somewhere, or shows text in another order than it has.
func breaking(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\uFEFF' || unicode.Is(unicode.Bidi_Control, r)
}

// line returns text as one line that stays in the comment that it is written into.
func line(text string) string {
	text = strings.Join(strings.FieldsFunc(text, breaking), " ")
	text = strings.NewReplacer(`\`, "/", `"""`, "'''").Replace(text)
	for strings.Contains(text, "*/") {
		text = strings.ReplaceAll(text, "*/", "* /")
	}
	return strings.TrimSpace(text)
}
