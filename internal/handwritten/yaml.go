package handwritten

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a document: how deep it is nested, and how long it may become when what aliases stand for is written out.
const (
	maxDepth = 256
	maxJSON  = 16 << 20
)

// fromYAML returns a YAML document as one line of JSON, and where its parts were written. Errors are a *Mistake.
func fromYAML(content []byte) ([]byte, []mark, error) {
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		if positioned, ok := errors.AsType[yaml.Error](err); ok {
			return nil, nil, problemAt(positioned.GetToken(), "this is not YAML: "+positioned.GetMessage())
		}
		return nil, nil, problemAt(nil, "this is not YAML: "+err.Error())
	}
	var body ast.Node
	for _, document := range file.Docs {
		switch {
		case document.Body == nil || document.Body.Type() == ast.CommentType:
		case body != nil:
			return nil, nil, problemAt(firstToken(document.Body), "the file has more than one YAML document: remove all but one")
		default:
			body = document.Body
		}
	}
	if body == nil {
		return nil, nil, problemAt(nil, "the file is empty")
	}
	c := &conversion{anchors: make(map[string]ast.Node)}
	err = c.value(body, 0)
	return c.out, c.marks, err
}

// problemAt returns a mistake at the place of a token, at the beginning of the file if there is none.
func problemAt(t *token.Token, reason string) error {
	m := &Mistake{Line: 1, Column: 1, Reason: reason}
	if t != nil && t.Position != nil {
		m.Line, m.Column = t.Position.Line, t.Position.Column
	}
	return m
}

// conversion writes nodes of YAML as JSON.
type conversion struct {
	out     []byte
	marks   []mark
	anchors map[string]ast.Node
}

// firstToken returns the token that a node begins with. That of an object in block style would be the colon behind its first name.
func firstToken(node ast.Node) *token.Token {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return firstToken(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return firstToken(n.Key)
	}
	return node.GetToken()
}

// mark remembers where what is written next was written by people.
func (c *conversion) mark(node ast.Node) {
	if t := firstToken(node); t != nil && t.Position != nil {
		c.marks = append(c.marks, mark{offset: len(c.out), line: t.Position.Line, column: t.Position.Column})
	}
}

// value writes a node that stands below depth others.
func (c *conversion) value(node ast.Node, depth int) error {
	if depth > maxDepth {
		return problemAt(firstToken(node), fmt.Sprintf("this is nested deeper than %d levels", maxDepth))
	}
	if len(c.out) > maxJSON {
		return problemAt(firstToken(node), fmt.Sprintf("the document is longer than %d bytes once its aliases are written out", maxJSON))
	}
	c.mark(node)
	switch n := node.(type) {
	case *ast.MappingNode:
		return c.mapping(n.Values, depth)
	case *ast.MappingValueNode:
		return c.mapping([]*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		return c.sequence(n, depth)
	case *ast.AnchorNode:
		c.anchors[n.Name.GetToken().Value] = n.Value
		return c.value(n.Value, depth+1)
	case *ast.AliasNode:
		target, err := c.target(n)
		if err != nil {
			return err
		}
		return c.value(target, depth+1)
	case *ast.TagNode:
		return c.tagged(n, depth)
	default:
		return c.scalar(node)
	}
}

// target returns what an alias stands for.
func (c *conversion) target(alias *ast.AliasNode) (ast.Node, error) {
	name := alias.Value.GetToken().Value
	target, found := c.anchors[name]
	if !found {
		return nil, problemAt(alias.GetToken(), fmt.Sprintf("no anchor &%s comes before this alias", name))
	}
	return target, nil
}

// tagged writes a value whose type is written beside it.
func (c *conversion) tagged(n *ast.TagNode, depth int) error {
	switch n.Start.Value {
	case "!!str":
		if scalar, ok := n.Value.(ast.ScalarNode); ok {
			c.text(textOf(scalar))
			return nil
		}
	case "!!map", "!!seq", "!!int", "!!float", "!!bool", "!!null":
		return c.value(n.Value, depth+1)
	}
	return problemAt(n.Start, fmt.Sprintf("JSON has nothing like the YAML tag %s: remove it", n.Start.Value))
}

func (c *conversion) sequence(n *ast.SequenceNode, depth int) error {
	c.out = append(c.out, '[')
	for i, item := range n.Values {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		if err := c.value(item, depth+1); err != nil {
			return err
		}
	}
	c.out = append(c.out, ']')
	return nil
}

// scalar writes a value without parts.
func (c *conversion) scalar(node ast.Node) error {
	switch n := node.(type) {
	case *ast.NullNode:
		c.out = append(c.out, "null"...)
	case *ast.BoolNode:
		c.out = strconv.AppendBool(c.out, n.Value)
	case *ast.IntegerNode:
		c.number(n.Token.Value, fmt.Sprint(n.Value))
	case *ast.FloatNode:
		if math.IsInf(n.Value, 0) {
			return problemAt(n.Token, "this number is too large (numbers go up to 1.7976931348623157e308)")
		}
		c.number(n.Token.Value, strconv.FormatFloat(n.Value, 'g', -1, 64))
	case *ast.StringNode:
		if n.Token.Type == token.StringType && isNumber(n.Value) { // such as 1e3, which the parser takes for text
			c.out = append(c.out, n.Value...)
			return nil
		}
		c.text(n.Value)
	case *ast.LiteralNode:
		c.text(n.Value.Value)
	default:
		return problemAt(node.GetToken(), "JSON has nothing like this: write an object, a list, a text, a number, true, false or null")
	}
	return nil
}

// number writes a number as people wrote it if JSON has that form, and else in a form that it has.
func (c *conversion) number(written, value string) {
	if isNumber(written) {
		value = written
	}
	c.out = append(c.out, value...)
}

// isNumber reports whether text is a number of JSON, which is one of YAML, too.
func isNumber(text string) bool {
	v := jsontext.Value(text)
	return v.Kind() == '0' && v.IsValid()
}

func (c *conversion) text(s string) {
	c.out, _ = jsontext.AppendQuote(c.out, s) // the content has been checked to be UTF-8
}

// textOf returns a scalar as text.
func textOf(n ast.ScalarNode) string {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value
	case *ast.LiteralNode:
		return s.Value.Value
	default:
		return n.GetToken().Value
	}
}
