package architecture

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	fenced  = regexp.MustCompile("(?s)```.*?```")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestLinksOfPages follows every link from one page of the documentation to another, to a heading, or to a file.
func TestLinksOfPages(t *testing.T) {
	files := pages(t)
	if len(files) < 10 {
		t.Fatalf("only %d pages were found: %v", len(files), files)
	}
	for _, page := range files {
		for _, found := range link.FindAllStringSubmatch(prose(t, page), -1) {
			target := found[1]
			if strings.Contains(target, "://") {
				continue
			}
			if reason := broken(t, page, target); reason != "" {
				t.Errorf("%s: the link to %s leads nowhere: %s", page, target, reason)
			}
		}
	}
}

// pages are the Markdown files at the root of the module and below docs.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(name string, _ fs.DirEntry, err error) error {
		if filepath.Ext(name) == ".md" {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// broken says why the target of a link on a page cannot be reached, or nothing.
func broken(t *testing.T, page, target string) string {
	t.Helper()
	name, anchor, _ := strings.Cut(target, "#")
	if name == "" {
		name = page
	} else {
		name = filepath.Join(filepath.Dir(page), name)
	}
	if _, err := os.Stat(name); err != nil {
		return err.Error()
	}
	if anchor != "" && !slices.Contains(anchors(t, name), anchor) {
		return "there is no such heading"
	}
	return ""
}

// anchors are the fragments by which the headings of a page are reached, as the usual viewers of Markdown make them.
func anchors(t *testing.T, page string) []string {
	t.Helper()
	var all []string
	for _, found := range heading.FindAllStringSubmatch(prose(t, page), -1) {
		plain := dropped.ReplaceAllString(strings.ToLower(found[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// prose is a page without its blocks of code.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return fenced.ReplaceAllString(string(text), "")
}
