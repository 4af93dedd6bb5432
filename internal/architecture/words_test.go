package architecture

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unplain are words that need a second reading: each has a plainer one, or a term of the field.
var unplain = regexp.MustCompile(`(?i)\b(some` + `body|no` + `body|who` + `ever|stran` + `gers?|vou` + `ch|vou` + `ches|made an` + `ew|ru` + `ngs?|inqui` + `ry|inqui` + `ries|testi` + `mony)\b`)

// exempt are identifiers of the code that are words of the list, by the folder that has them.
var exempt = map[string]*regexp.Regexp{
	"sync":                       regexp.MustCompile(`\binquiry\b`),
	"internal/publisher/control": regexp.MustCompile(`\binquiry\b`),
	"internal/publisher/admin":   regexp.MustCompile(`\bnobody\b`),
}

// TestPlainWords reads the product's Go files, the comments of tests, and the pages. Decision records keep their words: they are history.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	read := 0
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, file)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == ".git" || name == filepath.Join("docs", "adr") || entry.Name() == "node_modules" || entry.Name() == "testdata"):
			return filepath.SkipDir
		case filepath.Ext(name) != ".go" && filepath.Ext(name) != ".md":
			return nil
		}
		read++
		content, err := os.ReadFile(file)
		for i, line := range strings.Split(string(content), "\n") {
			if word := unplain.FindString(considered(filepath.ToSlash(name), line)); word != "" {
				t.Errorf("%s:%d: %q: say it more plainly", name, i+1, word)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 500 {
		t.Fatalf("only %d files were read", read)
	}
}

// considered returns the part of a line that is to be plain.
func considered(name, line string) string {
	if strings.HasSuffix(name, "_test.go") {
		_, line, _ = strings.Cut(line, "// ")
	}
	if words := exempt[path.Dir(name)]; words != nil {
		line = words.ReplaceAllString(line, "")
	}
	return strings.ReplaceAll(line, "http.NoBody", "")
}
