// Package documented compares the generated chapters of docs with the programs,
// and writes them if it is told to. It is for tests.
package documented

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/config"
)

// update is the environment variable that makes Check write the chapters
// instead of comparing them.
const update = "FLAGSIDE_UPDATE"

// Check fails the test unless the file at path has, for each set, the chapter
// that [config.Set.Markdown] returns, word for word.
func Check(t *testing.T, path string, sets ...*config.Set) {
	t.Helper()
	chapters := make([]string, len(sets))
	for i, set := range sets {
		chapters[i] = set.Markdown()
	}
	CheckChapters(t, path, chapters...)
}

// CheckChapters fails the test unless the file at path has the chapters, word
// for word. Each begins with its heading, "## …".
func CheckChapters(t *testing.T, path string, chapters ...string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	document := string(data)
	for _, chapter := range chapters {
		heading, _, _ := strings.Cut(chapter, "\n")
		begin, end := find(document, heading)
		if document[begin:end] == chapter {
			continue
		}
		if os.Getenv(update) == "" {
			t.Errorf("%s: the chapter %q differs from the program; %s=1 go test writes it", path, heading, update)
			continue
		}
		document = document[:begin] + chapter + document[end:]
	}
	if os.Getenv(update) == "" || document == string(data) {
		return
	}
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil { //nolint:gosec // the test names the file
		t.Fatal(err)
	}
}

// helpOfPath matches the help of an option or argument that is a path.
var helpOfPath = regexp.MustCompile(`^(\w+ )?(file|directory)\b`)

// CheckPaths fails the test if an option or argument of a set is called or described as a file or directory and does not have that type, by
// which shells complete it.
func CheckPaths(t *testing.T, sets ...*config.Set) {
	t.Helper()
	for _, set := range sets {
		for _, option := range set.Options() {
			named := strings.HasSuffix(option.Name, "file") || strings.HasSuffix(option.Name, "-dir")
			if (named || helpOfPath.MatchString(option.Usage)) && option.Type != config.TypeFile && option.Type != config.TypeDirectory {
				t.Errorf("%s: --%s is a path and has the type %s", set.Command(), option.Name, option.Type)
			}
		}
		for i, name := range set.Arguments() {
			argument, _ := set.ArgumentAt(i)
			if (name == "FILE" || name == "DIR") && argument.Type == "" {
				t.Errorf("%s: %s is a path and has no type", set.Command(), name)
			}
		}
	}
}

// find returns where the chapter with the heading begins and ends, the end of
// the document if there is none.
func find(document, heading string) (begin, end int) {
	begin = strings.Index(document, heading+"\n")
	if begin < 0 {
		return len(document), len(document)
	}
	rest := document[begin+len(heading):]
	next := strings.Index(rest, "\n## ")
	if next < 0 {
		return begin, len(document)
	}
	return begin, begin + len(heading) + next + 1
}
