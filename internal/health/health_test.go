package health

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a settable time.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestTracker(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	c := &clock{start}
	tracker := NewTracker(c.now)
	if got := tracker.Active(); got != nil {
		t.Fatalf("a new tracker has active conditions: %v", got)
	}

	steps := []struct{ got, want bool }{
		{tracker.Set(ServingFromDisk, ""), true},
		{c.advance(time.Second) && tracker.Set(LogUnreachable, "no route"), true},
		{c.advance(time.Second) && tracker.Set(NotReady, ""), true},
		{tracker.Set("unheard-of", "x"), true},
		{c.advance(time.Second) && tracker.Set(LogUnreachable, "refused"), false},
		{tracker.Clear(DiskUnwritable), false},
		{tracker.Clear(ServingFromDisk), true},
		{tracker.Clear(ServingFromDisk), false},
	}
	for i, step := range steps {
		if step.got != step.want {
			t.Errorf("step %d reported %v, want %v", i, step.got, step.want)
		}
	}

	want := []Active{
		{condition(t, NotReady), start.Add(2 * time.Second), ""},
		{condition(t, LogUnreachable), start.Add(time.Second), "refused"},
		{Condition{Code: "unheard-of", Severity: SeverityWarning}, start.Add(2 * time.Second), "x"},
	}
	if diff := cmp.Diff(want, tracker.Active()); diff != "" {
		t.Errorf("active (-want +got):\n%s", diff)
	}

	tracker.Clear(LogUnreachable)
	tracker.Set(LogUnreachable, "again")
	if got := tracker.Active()[2]; got.Code != LogUnreachable || !got.Since.Equal(start.Add(3*time.Second)) {
		t.Errorf("a condition that came back is %v, want it to begin anew", got)
	}
}

func (c *clock) advance(d time.Duration) bool {
	c.at = c.at.Add(d)
	return true
}

// condition returns the catalogue's condition with the code.
func condition(t *testing.T, code Code) Condition {
	t.Helper()
	for _, condition := range Catalogue() {
		if condition.Code == code {
			return condition
		}
	}
	t.Fatalf("the catalogue lacks %s", code)
	return Condition{}
}

func TestTrackerConcurrently(t *testing.T) {
	t.Parallel()
	tracker := NewTracker(time.Now)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				code := Catalogue()[i%3].Code
				tracker.Set(code, fmt.Sprint(i))
				if n := len(tracker.Active()); n > 3 {
					t.Errorf("%d conditions are active, only 3 were ever set", n)
				}
				tracker.Clear(code)
			}
		})
	}
	wg.Wait()
	if got := tracker.Active(); got != nil {
		t.Errorf("all conditions were cleared, but %v are active", got)
	}
}

func TestCatalogueIsWellFormed(t *testing.T) {
	t.Parallel()
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[Code]bool{}
	for _, c := range Catalogue() {
		if !kebab.MatchString(string(c.Code)) || seen[c.Code] {
			t.Errorf("code %q is malformed or not unique", c.Code)
		}
		seen[c.Code] = true
		if c.Severity.rank() < 0 {
			t.Errorf("%s: severity %q is unknown", c.Code, c.Severity)
		}
		// What happens and what to do are two clauses of one sentence.
		if !strings.Contains(c.Sentence, "; ") || !strings.HasSuffix(c.Sentence, ".") {
			t.Errorf("%s: %q does not say both what happens and what to do", c.Code, c.Sentence)
		}
	}
}

// Every code is declared as a constant and every constant is in the catalogue, so that Set cannot be given a code no one can look up.
func TestEveryConstantIsInTheCatalogue(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("catalogue.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []Code
	for _, match := range regexp.MustCompile(`(?m)^\t\w+ +Code += "(.+)"$`).FindAllSubmatch(source, -1) {
		declared = append(declared, Code(match[1]))
	}
	if diff := cmp.Diff(declared, codes()); diff != "" {
		t.Errorf("the catalogue differs from the constants (-constants +catalogue):\n%s", diff)
	}
}

// Every code has a section in the operations guide, in the same order, and the guide knows no other code.
func TestOperationsGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^## `).Split(string(guide), -1)[1:]
	var headings []Code
	for _, section := range sections {
		heading, body, _ := strings.Cut(section, "\n")
		headings = append(headings, Code(heading))
		for _, part := range []string{"**Severity:** " + string(severity(Code(heading))), "**Cause:**", "**flagside:**", "**You:**"} {
			if !strings.Contains(body, part) {
				t.Errorf("section %s lacks %q", heading, part)
			}
		}
	}
	if diff := cmp.Diff(codes(), headings); diff != "" {
		t.Errorf("docs/operations.md differs from the catalogue (-catalogue +guide):\n%s", diff)
	}
}

func codes() []Code {
	var all []Code
	for _, c := range Catalogue() {
		all = append(all, c.Code)
	}
	return all
}

func severity(code Code) Severity {
	catalogue := Catalogue()
	i := slices.IndexFunc(catalogue, func(c Condition) bool { return c.Code == code })
	if i < 0 {
		return ""
	}
	return catalogue[i].Severity
}
