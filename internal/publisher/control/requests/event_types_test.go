package requests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every constant that names a type of events is in the list of them, once.
func TestEventTypesAreComplete(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := 0
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "EventType" && strings.HasPrefix(spec.Names[0].Name, "Event") {
				constants++
			}
			return true
		})
	}
	all := EventTypes()
	if constants == 0 || len(all) != constants {
		t.Errorf("%d types in the list, %d constants", len(all), constants)
	}
	slices.Sort(all)
	if once := slices.Compact(slices.Clone(all)); len(once) != len(all) {
		t.Errorf("one is there twice: %v", all)
	}
}
