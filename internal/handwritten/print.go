package handwritten

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// YAML returns JSON as YAML in block style. Members keep their place. Strings are quoted as in JSON, which YAML reads; names are not when
// they are words.
func YAML(body []byte) ([]byte, error) {
	value, err := ordered(jsontext.NewDecoder(bytes.NewReader(body)))
	if err != nil {
		return nil, err
	}
	node, err := yaml.ValueToNode(value)
	if err != nil {
		return nil, err
	}
	ast.Walk(jsonQuotes{}, node)
	return []byte(node.String() + "\n"), nil
}

// scalar is a value of JSON without parts. It is one of YAML, too.
type scalar jsontext.Value

// MarshalYAML implements the interface of the library.
func (s scalar) MarshalYAML() ([]byte, error) { return s, nil }

// ordered reads the next value, with the members of objects in their order.
func ordered(tokens *jsontext.Decoder) (any, error) {
	switch tokens.PeekKind() {
	case jsontext.KindBeginObject:
		members := yaml.MapSlice{}
		err := parts(tokens, func() error {
			name, err := tokens.ReadToken()
			if err != nil {
				return err
			}
			member := yaml.MapItem{Key: name.String()}
			member.Value, err = ordered(tokens)
			members = append(members, member)
			return err
		})
		return members, err
	case jsontext.KindBeginArray:
		items := []any{}
		err := parts(tokens, func() error {
			item, err := ordered(tokens)
			items = append(items, item)
			return err
		})
		return items, err
	default:
		value, err := tokens.ReadValue()
		return scalar(value.Clone()), err
	}
}

// parts reads an object or array, each of its parts with read.
func parts(tokens *jsontext.Decoder, read func() error) error {
	if _, err := tokens.ReadToken(); err != nil {
		return err
	}
	for tokens.PeekKind() != jsontext.KindEndObject && tokens.PeekKind() != jsontext.KindEndArray {
		if err := read(); err != nil {
			return err
		}
	}
	_, err := tokens.ReadToken()
	return err
}

// jsonQuotes visits all nodes, and quotes text and the names that are no words as JSON does: then visible may write what a terminal obeys as \u.
type jsonQuotes struct{}

func (q jsonQuotes) Visit(node ast.Node) ast.Visitor {
	switch n := node.(type) {
	case *ast.StringNode:
		if n.Token.Type == token.DoubleQuoteType {
			quote(n)
		}
	case *ast.MappingValueNode:
		name, ok := n.Key.(*ast.StringNode)
		if ok && !isWord(name.Value) && !strings.HasPrefix(name.Value, `"`) { // with which begins what the library has quoted itself
			quote(name)
		}
	}
	return q
}

func quote(text *ast.StringNode) {
	quoted, err := jsontext.AppendQuote(nil, text.Value)
	if err == nil { // always for text that was JSON
		text.Value, text.Token.Type = string(quoted), token.StringType
	}
}

// isWord reports whether text has nothing that means something in YAML.
func isWord(text string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return text != "" && strings.Contains(letters, text[:1]) && strings.Trim(text, letters+"0123456789-_./") == ""
}
