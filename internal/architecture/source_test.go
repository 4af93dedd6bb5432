package architecture

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/flagside/flagside"
	root   = "../.."
)

// source is the Go source of the module by folder, such as "internal/config".
type source map[string]*folder

// folder is one package with the tests beside it.
type folder struct {
	name string
	// doc is the package comment. A folder that has nothing but tests has it in one of them.
	doc string
	// imports and testImports are import paths, sorted and without duplicates. An external test package counts as a test.
	imports     []string
	testImports []string
}

// readSource parses all Go files of the module. The files are read here rather than by the go command, so that a cached test result
// does not outlive a change of any of them.
func readSource(t *testing.T) source {
	t.Helper()
	all := source{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && foreign(file, entry.Name()):
			return filepath.SkipDir
		case entry.IsDir() || path.Ext(file) != ".go":
			return nil
		}
		at, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		at = filepath.ToSlash(at)
		if all[at] == nil {
			all[at] = &folder{}
		}
		return all[at].read(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// foreign reports whether a directory is not part of the module's source.
func foreign(file, name string) bool {
	if file == root {
		return false
	}
	nested, err := filepath.Glob(filepath.Join(file, "go.mod"))
	return err != nil || len(nested) > 0 || name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".")
}

// read adds one file.
func (f *folder) read(file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	imports := &f.imports
	if strings.HasSuffix(file, "_test.go") {
		imports = &f.testImports
	} else {
		f.name = parsed.Name.Name
	}
	f.doc += parsed.Doc.Text()
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		*imports = append(*imports, imported)
	}
	slices.Sort(*imports)
	*imports = slices.Compact(*imports)
	return nil
}

// folders returns the names of the folders in order.
func (s source) folders() []string { return slices.Sorted(maps.Keys(s)) }

// reach returns the folders of this module that the folder imports, directly or not, tests excluded.
func (s source) reach(from string) map[string]bool {
	reached := map[string]bool{}
	var visit func(string)
	visit = func(at string) {
		if reached[at] || s[at] == nil {
			return
		}
		reached[at] = true
		for _, next := range own(s[at].imports) {
			visit(next)
		}
	}
	visit(from)
	delete(reached, from)
	return reached
}

// own returns the folders of those imports that belong to this module.
func own(imports []string) []string {
	var folders []string
	for _, imported := range imports {
		if at, ok := strings.CutPrefix(imported, module+"/"); ok {
			folders = append(folders, at)
		}
	}
	return folders
}

// below reports whether name is the folder, module or package, or lies in it.
func below(name, parent string) bool {
	return name == parent || strings.HasPrefix(name, parent+"/")
}

// linked returns the import paths of everything that a package of this module links, itself included.
func linked(t *testing.T, folder string) []string {
	t.Helper()
	return goList(t, "-deps", module+"/"+folder)
}

// goList runs go list in the root of the module and returns its lines.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	command.Dir = root
	output, err := command.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("%s: %v\n%s", command, err, exit.Stderr)
		}
		t.Fatalf("%s: %v", command, err)
	}
	return strings.Fields(string(output))
}

// goFiles returns the files of a folder that are no tests.
func goFiles(t *testing.T, at string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, at))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			files = append(files, at+"/"+e.Name())
		}
	}
	return files
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
