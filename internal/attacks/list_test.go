package attacks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// root is the root of the repository.
const root = "../.."

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// functionsOf returns the test functions of a folder, or of the whole repository.
func functionsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range testFunction.FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
	}
	return found
}

// Each attack names a test that exists, by an attacker, during an operation and with an effect that are listed.
func TestAttacksAreWellFormed(t *testing.T) {
	t.Parallel()
	functions := make(map[string]map[string]bool)
	seen := make(map[Attack]bool)
	for _, a := range All() {
		if functions[a.Package] == nil {
			functions[a.Package] = functionsOf(t, a.Package)
		}
		switch {
		case !functions[a.Package][a.Function()]:
			t.Errorf("%s has no test %s", a.Package, a.Function())
		case !slices.Contains(Attackers(), a.Attacker), !slices.Contains(Operations(), a.Operation):
			t.Errorf("%s: attacker %q or operation %q is not listed", a.Test, a.Attacker, a.Operation)
		case a.Broke != "" && !slices.Contains(Broken(), a.Broke):
			t.Errorf("%s: that it broke %q is not listed", a.Test, a.Broke)
		case seen[a]:
			t.Errorf("%s is listed twice for the same attacker and operation", a.Test)
		}
		seen[a] = true
	}
}

// Every attacker, every operation, and everything that was broken before has an attack.
func TestEverythingIsAttacked(t *testing.T) {
	t.Parallel()
	attackers, operations, broke := make(map[Attacker]bool), make(map[Operation]bool), make(map[string]bool)
	for _, a := range All() {
		attackers[a.Attacker], operations[a.Operation], broke[a.Broke] = true, true, true
	}
	for _, a := range Attackers() {
		if !attackers[a] {
			t.Errorf("nothing is tried by %s", a)
		}
	}
	for _, o := range Operations() {
		if !operations[o] {
			t.Errorf("nothing is tried during %s", o)
		}
	}
	for _, b := range Broken() {
		if !broke[b] {
			t.Errorf("no attack tries again what was broken: %s", b)
		}
	}
}
