package handwritten

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// member is one member of an object that is written.
type member struct {
	name  string
	key   ast.Node
	value ast.Node
}

// mapping writes an object. What << brings stands behind the members of its own, without those that are there already.
func (c *conversion) mapping(values []*ast.MappingValueNode, depth int) error {
	own, merged, err := c.members(values)
	if err != nil {
		return err
	}
	for _, source := range merged {
		more, err := c.merged(source, depth+1)
		if err != nil {
			return err
		}
		own = appendNew(own, more)
	}
	c.out = append(c.out, '{')
	for i, m := range own {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.mark(m.key)
		c.text(m.name)
		c.out = append(c.out, ':')
		if err := c.value(m.value, depth+1); err != nil {
			return err
		}
	}
	c.out = append(c.out, '}')
	return nil
}

// members returns the members of a mapping, and what << brings into it.
func (c *conversion) members(values []*ast.MappingValueNode) (own []member, merged []ast.Node, err error) {
	for _, v := range values {
		if v.Key.IsMergeKey() {
			merged = append(merged, v.Value)
			continue
		}
		var name ast.Node = v.Key
		if explicit, ok := name.(*ast.MappingKeyNode); ok { // it stands behind a question mark
			name = explicit.Value
		}
		key, ok := name.(ast.ScalarNode)
		if !ok {
			return nil, nil, problemAt(v.Key.GetToken(), "the name of a member is a text, not an object, a list, an anchor or an alias")
		}
		own = append(own, member{textOf(key), v.Key, v.Value})
	}
	return own, merged, nil
}

// merged returns the members of what << brings: an object, or a list of them, of which the first goes before the others.
func (c *conversion) merged(source ast.Node, depth int) (all []member, err error) {
	if depth > maxDepth {
		return nil, problemAt(source.GetToken(), fmt.Sprintf("this is nested deeper than %d levels", maxDepth))
	}
	switch n := source.(type) {
	case *ast.AliasNode:
		target, err := c.target(n)
		if err != nil {
			return nil, err
		}
		return c.merged(target, depth+1)
	case *ast.MappingValueNode:
		return c.mergedMapping([]*ast.MappingValueNode{n}, depth)
	case *ast.MappingNode:
		return c.mergedMapping(n.Values, depth)
	case *ast.SequenceNode:
		for _, item := range n.Values {
			more, err := c.merged(item, depth+1)
			if err != nil {
				return nil, err
			}
			all = appendNew(all, more)
		}
		return all, nil
	default:
		return nil, problemAt(source.GetToken(), "<< takes an alias of an object, or a list of them")
	}
}

func (c *conversion) mergedMapping(values []*ast.MappingValueNode, depth int) ([]member, error) {
	own, merged, err := c.members(values)
	for _, source := range merged {
		more, failed := c.merged(source, depth+1)
		if failed != nil {
			return nil, failed
		}
		own = appendNew(own, more)
	}
	return own, err
}

// appendNew appends the members whose names are new.
func appendNew(all, more []member) []member {
	for _, m := range more {
		if !slices.ContainsFunc(all, func(other member) bool { return other.name == m.name }) {
			all = append(all, m)
		}
	}
	return all
}
