package charttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Readme returns the page of the chart: what stands by hand before the table, and a row for each value of values.yaml that has a comment which
// begins with "--", with its default.
func Readme() (string, error) {
	text, err := os.ReadFile(filepath.Join(Chart, "values.yaml"))
	if err != nil {
		return "", err
	}
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		return "", err
	}
	if len(file.Content) != 1 {
		return "", errors.New("values.yaml is empty")
	}
	begin, err := os.ReadFile(filepath.Join(Chart, "README.begin.md"))
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.Write(begin)
	out.WriteString("\n| Value | Default | Meaning |\n|---|---|---|\n")
	return out.String() + rows("", file.Content[0]), nil
}

// rows returns the rows of a map.
func rows(prefix string, node *yaml.Node) string {
	var out strings.Builder
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name, meaning := prefix+key.Value, described(key)
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 && value.Style&yaml.FlowStyle == 0 {
			if meaning != "" {
				fmt.Fprintf(&out, "| **%s** | | %s |\n", name, meaning)
			}
			out.WriteString(rows(name+".", value))
			continue
		}
		fmt.Fprintf(&out, "| `%s` | `%s` | %s |\n", name, shown(value), meaning)
	}
	return out.String()
}

// described returns the comment above a key, in one line.
func described(key *yaml.Node) string {
	_, meaning, found := strings.Cut(key.HeadComment, "# --")
	if !found {
		return ""
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(meaning, "#", "")), " ")
}

// shown returns a default as people write it in one line.
func shown(value *yaml.Node) string {
	flow := *value
	flow.Style |= yaml.FlowStyle
	clean(&flow)
	text, err := yaml.Marshal(&flow)
	if err != nil {
		return value.Value
	}
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "|", `\|`)
}

// clean removes comments.
func clean(node *yaml.Node) {
	node.HeadComment, node.LineComment, node.FootComment = "", "", ""
	for _, child := range node.Content {
		child.Style |= yaml.FlowStyle
		clean(child)
	}
}
