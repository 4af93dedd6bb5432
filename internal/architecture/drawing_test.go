package architecture

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	drawing    = regexp.MustCompile("(?s)\n## Layout\n.*?```mermaid\n(.*?)```")
	drawnNode  = regexp.MustCompile(`\b(\w+)\["([\w/-]+)"\]`)
	drawnArrow = regexp.MustCompile(`(?m)^ *(\w+) --> ([\w& ]+)$`)
)

// The layout in docs/architecture.md is that of the imports. Each arrow is an import, and following the arrows from a package leads to every
// other drawn package that it links.
func TestTheLayoutIsDrawn(t *testing.T) {
	t.Parallel()
	found := drawing.FindStringSubmatch(readFile(t, "docs/architecture.md"))
	if found == nil {
		t.Fatal("docs/architecture.md draws no layout")
	}
	all, drawn, at := readSource(t), source{}, make(map[string]string)
	for _, node := range drawnNode.FindAllStringSubmatch(found[1], -1) {
		at[node[1]] = node[2]
		drawn[node[2]] = &folder{}
	}
	for _, arrow := range drawnArrow.FindAllStringSubmatch(found[1], -1) {
		from := at[arrow[1]]
		for name := range strings.SplitSeq(arrow[2], " & ") {
			to := at[name]
			if !slices.Contains(all.must(t, from).imports, module+"/"+to) {
				t.Errorf("an arrow leads from %q to %q, which it does not import", from, to)
				continue
			}
			drawn[from].imports = append(drawn[from].imports, module+"/"+to)
		}
	}
	if len(drawn) < 20 {
		t.Fatalf("only %d packages were found in the drawing", len(drawn))
	}
	for _, from := range drawn.folders() {
		shown := drawn.reach(from)
		for to := range maps.Keys(all.reach(from)) {
			if drawn[to] != nil && !shown[to] {
				t.Errorf("%s links %s, and no arrows lead there", from, to)
			}
		}
	}
}
