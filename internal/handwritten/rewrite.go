package handwritten

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Rewrite returns a file so that it says what the JSON says, changed in as few lines as possible: what says that already keeps its spelling, its
// place and its comments. One that says it all comes back as it is. Members of the top level that the JSON does not have, and keep wants,
// stay. It reports false of what cannot be rewritten: then nothing of the file can be kept.
func Rewrite(name string, content, body []byte, keep func(member string) bool) ([]byte, bool) {
	text, err := Open(name, content)
	if err != nil {
		return nil, false
	}
	old, ok := Members(text.JSON())
	wanted, isObject := Members(body)
	if !ok || !isObject {
		return nil, false
	}
	for _, m := range slices.Backward(old) {
		if _, there := Find(wanted, m.Name); !there && keep(m.Name) {
			wanted = slices.Insert(wanted, 0, m)
		}
	}
	whole := Object(wanted)
	if Same(text.JSON(), whole) {
		return content, true
	}
	if text.marks == nil {
		value := jsontext.Value(slices.Clone(whole))
		if value.Indent(jsontext.WithIndent("  ")) != nil {
			return nil, false
		}
		return append(value, '\n'), true
	}
	plain := bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")) // the parser counts lines of comments twice where they end with both
	out, ok := rewriteYAML(plain, text.JSON(), wanted)
	if len(plain) < len(content) {
		out = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))
	}
	return out, ok && rewrittenWell(name, out, whole)
}

// rewrittenWell reports whether a rewritten file says what it is to say.
func rewrittenWell(name string, out, whole []byte) bool {
	text, err := Open(name, out)
	return err == nil && Same(text.JSON(), whole)
}

// rewriting changes the lines of a file in YAML.
type rewriting struct {
	lines []string // each with its end
	out   []string
}

func rewriteYAML(content, old []byte, wanted []Member) ([]byte, bool) {
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return nil, false
	}
	r := &rewriting{lines: strings.SplitAfter(string(content), "\n")}
	if last := len(r.lines) - 1; r.lines[last] != "" {
		r.lines[last] += "\n"
	} else {
		r.lines = r.lines[:last]
	}
	for _, d := range file.Docs {
		values := blockMapping(d.Body)
		if values == nil {
			continue
		}
		if !r.mapping(values, 0, len(r.lines), old, wanted, false) {
			return nil, false
		}
		return []byte(strings.Join(r.out, "")), true
	}
	return nil, false
}

// blockMapping returns the members of an object in block style without anything merged into it, nil of anything else.
func blockMapping(node ast.Node) []*ast.MappingValueNode {
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		if n.IsFlowStyle {
			return nil
		}
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	}
	for _, v := range values {
		if _, plain := v.Key.(ast.ScalarNode); !plain || v.Key.IsMergeKey() {
			return nil
		}
	}
	return values
}

// block is one member with its lines: lead are comments and empty lines above it.
type block struct {
	name       string
	node       ast.Node
	lead, body []string
	end        int // the line behind the body
}

// blocks divides lines among members.
func (r *rewriting) blocks(values []*ast.MappingValueNode, from, to int) (list []block) {
	starts := make([]int, len(values)+1)
	for i, v := range values {
		starts[i] = v.Key.GetToken().Position.Line - 1
	}
	starts[len(values)] = to
	lead := from
	for i, v := range values {
		end := starts[i+1]
		if i+1 < len(values) {
			for end > starts[i]+1 && isRemark(r.lines[end-1]) {
				end--
			}
		}
		list = append(list, block{
			name: textOf(v.Key.(ast.ScalarNode)), node: v.Value, lead: r.lines[lead:starts[i]], body: r.lines[starts[i]:end], end: end,
		})
		lead = end
	}
	return list
}

// isRemark reports whether a line is empty or nothing but a comment.
func isRemark(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

// mapping rewrites the lines of an object. It reports false if they cannot be divided among its members.
func (r *rewriting) mapping(values []*ast.MappingValueNode, from, to int, old []byte, wanted []Member, sorted bool) bool {
	before, ok := Members(old)
	if !ok || len(wanted) == 0 || len(values) == 0 {
		return false
	}
	indent := strings.Repeat(" ", values[0].Key.GetToken().Position.Column-1)
	list := r.blocks(values, from, to)
	known := make(map[string]bool)
	for _, b := range list {
		known[b.name] = true
	}
	fresh := slices.DeleteFunc(slices.Clone(wanted), func(m Member) bool { return known[m.Name] })
	for i, b := range list {
		if i == 0 {
			r.out = append(r.out, b.lead...) // of the object as much as of its first member
			b.lead = nil
		}
		for sorted && len(fresh) > 0 && fresh[0].Name < b.name {
			if !r.write(indent, fresh[0]) {
				return false
			}
			fresh = fresh[1:]
		}
		value, there := Find(wanted, b.name)
		if !there {
			continue
		}
		r.out = append(r.out, b.lead...)
		was, _ := Find(before, b.name)
		if !r.member(b, indent, was, Member{b.name, value}) {
			return false
		}
	}
	for _, m := range fresh {
		if !r.write(indent, m) {
			return false
		}
	}
	return true
}

// member rewrites the lines of one member.
func (r *rewriting) member(b block, indent string, was jsontext.Value, now Member) bool {
	if Same(was, now.Value) {
		r.out = append(r.out, b.body...)
		return true
	}
	values, wanted := blockMapping(b.node), []Member(nil)
	if values != nil {
		wanted, _ = Members(now.Value)
	}
	first := strings.TrimRight(b.body[0], " \t\r\n")
	if values != nil && len(wanted) > 0 && values[0].Key.GetToken().Position.Line-1 > b.end-len(b.body) && opens(first) {
		mark := len(r.out)
		r.out = append(r.out, b.body[0])
		from := b.end - len(b.body) + 1
		if r.mapping(values, from, b.end, was, wanted, b.name == "flags" || b.name == "$evaluators") {
			return true
		}
		r.out = r.out[:mark]
	}
	mark := len(r.out)
	if !r.write(indent, now) {
		return false
	}
	if len(b.body) == 1 && len(r.out) == mark+1 { // a line in the place of a line keeps its comment
		if remark := remarkOf(b.body[0], was); remark != "" {
			r.out[mark] = strings.TrimRight(r.out[mark], "\n") + remark + "\n"
		}
	}
	return true
}

// opens reports whether a line has nothing but the name of a member, and perhaps a comment.
func opens(line string) bool {
	if i := strings.Index(line, " #"); i >= 0 {
		line = strings.TrimRight(line[:i], " \t")
	}
	return strings.HasSuffix(line, ":")
}

// remarkOf returns the comment at the end of the line of a member, with the blanks before it; empty if there is none.
func remarkOf(line string, value jsontext.Value) string {
	line = strings.TrimRight(line, "\r\n")
	for i := len(line) - 1; i > 0; i-- {
		if line[i] != '#' || line[i-1] != ' ' {
			continue
		}
		text, _, err := fromYAML([]byte(line[:i]))
		if list, ok := Members(text); err == nil && ok && len(list) == 1 && Same(list[0].Value, value) {
			return line[len(strings.TrimRight(line[:i], " ")):]
		}
	}
	return ""
}

// write writes a member at an indentation.
func (r *rewriting) write(indent string, m Member) bool {
	text, err := YAML(Object([]Member{m}))
	if err != nil {
		return false
	}
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) > 0 {
			line = append([]byte(indent), line...)
		}
		r.out = append(r.out, string(line))
	}
	return true
}
