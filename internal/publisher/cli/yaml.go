package cli

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// yaml returns JSON as YAML 1.2 in block style. Members keep their place. Strings are quoted as in JSON, which YAML reads; names are
// not when they are words.
func yaml(body []byte) ([]byte, error) {
	w := yamlWriter{tokens: jsontext.NewDecoder(bytes.NewReader(body))}
	if err := w.value(0, false); err != nil {
		return nil, fmt.Errorf("the publisher's answer: %w", err)
	}
	return []byte(visible(w.out.String())), nil
}

type yamlWriter struct {
	tokens *jsontext.Decoder
	out    bytes.Buffer
}

// value writes the next value. A collection that stands after a name begins on a line of its own.
func (w *yamlWriter) value(depth int, named bool) error {
	switch w.tokens.PeekKind() {
	case jsontext.KindBeginObject:
		return w.collection(depth, named, "{}", w.member)
	case jsontext.KindBeginArray:
		if named {
			depth-- // items may stand as far left as the name
		}
		return w.collection(depth, named, "[]", w.item)
	default:
		token, err := w.tokens.ReadToken()
		if err != nil {
			return err
		}
		if named {
			w.out.WriteByte(' ')
		}
		w.out.WriteString(yamlScalar(token) + "\n")
		return nil
	}
}

// collection writes an object or array by its parts.
func (w *yamlWriter) collection(depth int, named bool, empty string, part func(depth int) error) error {
	if _, err := w.tokens.ReadToken(); err != nil {
		return err
	}
	first := true
	for kind := w.tokens.PeekKind(); kind != jsontext.KindEndObject && kind != jsontext.KindEndArray; kind = w.tokens.PeekKind() {
		switch {
		case first && named:
			w.out.WriteByte('\n')
			w.indent(depth)
		case !first:
			w.indent(depth)
		}
		first = false
		if err := part(depth); err != nil {
			return err
		}
	}
	if first {
		if named {
			w.out.WriteByte(' ')
		}
		w.out.WriteString(empty + "\n")
	}
	_, err := w.tokens.ReadToken()
	return err
}

func (w *yamlWriter) member(depth int) error {
	name, err := w.tokens.ReadToken()
	if err != nil {
		return err
	}
	text := yamlScalar(name)
	if isPlain(name.String()) {
		text = name.String()
	}
	w.out.WriteString(text + ":")
	return w.value(depth+1, true)
}

func (w *yamlWriter) item(depth int) error {
	w.out.WriteString("- ")
	return w.value(depth+1, false)
}

func (w *yamlWriter) indent(depth int) { w.out.WriteString(strings.Repeat("  ", depth)) }

// yamlScalar returns a token as YAML.
func yamlScalar(token jsontext.Token) string {
	if token.Kind() != jsontext.KindString {
		return token.String()
	}
	quoted, err := jsontext.AppendQuote(nil, token.String())
	if err != nil {
		return `""` // never for text that was JSON
	}
	return string(quoted)
}

// isPlain reports whether text is a word that no version of YAML takes for a number, a date, a boolean or null.
func isPlain(text string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if text == "" || !strings.Contains(letters, text[:1]) || strings.Trim(text, letters+"0123456789-_./") != "" {
		return false
	}
	switch strings.ToLower(text) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null", "inf", "nan":
		return false
	}
	return true
}
