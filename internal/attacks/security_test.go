package attacks

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile("`(Test[A-Z]\\w+)`")
	threatRow = regexp.MustCompile(`(?m)^\| (.+?) \|`)
)

// The tests that docs/security.md names exist, each test is one of the attacks or shows that they are real, and each attacker has a row.
func TestSecurityPageNamesTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	attacks := make(map[string]bool)
	for _, a := range All() {
		attacks[a.Function()] = true
	}
	named := make(map[string]bool)
	for _, match := range namedTest.FindAllStringSubmatch(string(text), -1) {
		named[match[1]] = true
	}
	if len(named) < 50 {
		t.Fatalf("only %d tests were found: %v", len(named), slices.Sorted(maps.Keys(named)))
	}
	existing := functionsOf(t, "*")
	maps.Copy(existing, functionsOf(t, "*/*"))
	maps.Copy(existing, functionsOf(t, "*/*/*"))
	maps.Copy(existing, functionsOf(t, "*/*/*/*"))
	maps.Copy(existing, functionsOf(t, "*/*/*/*/*"))
	for _, name := range slices.Sorted(maps.Keys(named)) {
		switch {
		case !existing[name]:
			t.Errorf("docs/security.md names %s, which does not exist", name)
		case !attacks[name] && name != "TestWithoutAccountsTheAttacksSucceed":
			t.Errorf("docs/security.md names %s, which make attacks does not run: enter it into list.go", name)
		}
	}
	_, threats, _ := strings.Cut(string(text), "\n## Threats\n")
	threats, _, _ = strings.Cut(threats, "\n## ")
	rows := make(map[string]bool)
	for _, match := range threatRow.FindAllStringSubmatch(threats, -1) {
		rows[match[1]] = true
	}
	for _, attacker := range Attackers() {
		if !rows[string(attacker)] {
			t.Errorf("the threats of docs/security.md have no row of %q", attacker)
		}
	}
}
