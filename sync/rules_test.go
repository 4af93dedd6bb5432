package flagsync_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRulesAreTested looks for the test that each rule of docs/protocol.md
// names.
func TestRulesAreTested(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rules, found := strings.Cut(string(guide), "\n## Rules\n")
	if !found {
		t.Fatal("docs/protocol.md has no rules")
	}
	var files []string
	for _, folder := range []string{".", "follow", "writer", "internal/jetstream"} {
		found, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files of tests, %v", folder, len(found), err)
		}
		files = append(files, found...)
	}
	var tests strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(source)
	}
	named := regexp.MustCompile(`(?m)^\| ([^|]+) \|`).FindAllStringSubmatch(rules, -1)
	if len(named) < 2 {
		t.Fatal("docs/protocol.md has no rules")
	}
	seen := map[string]bool{"rule": true}
	for _, rule := range named[1:] {
		if seen[rule[1]] || !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(rule[1]) {
			t.Errorf("rule %q stands there twice, or is no name", rule[1])
			continue
		}
		seen[rule[1]] = true
		var name strings.Builder
		for word := range strings.SplitSeq(rule[1], "-") {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		if !strings.Contains(tests.String(), "\nfunc Test"+name.String()+"(") {
			t.Errorf("rule %s has no test: Test%s", rule[1], name.String())
		}
	}
}
