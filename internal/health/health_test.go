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
	"github.com/rs/zerolog"
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

	reconcile := func(name string, holding map[Code]string, began, ended []Code) {
		t.Helper()
		changes := tracker.Reconcile("own", holding)
		if diff := cmp.Diff([][]Code{began, ended}, [][]Code{codesOf(changes.Began), codesOf(changes.Ended)}); diff != "" {
			t.Errorf("%s: began and ended (-want +got):\n%s", name, diff)
		}
		c.advance(time.Second)
	}
	reconcile("one", map[Code]string{ServingFromDisk: ""}, []Code{ServingFromDisk}, nil)
	reconcile("another", map[Code]string{ServingFromDisk: "", LogUnreachable: "no route"}, []Code{LogUnreachable}, nil)
	reconcile("two more", map[Code]string{ServingFromDisk: "", LogUnreachable: "no route", NotReady: "", "unheard-of": "x"},
		[]Code{NotReady, "unheard-of"}, nil)
	reconcile("another detail, and one less", map[Code]string{LogUnreachable: "refused", NotReady: "", "unheard-of": "x"}, nil, []Code{ServingFromDisk})
	reconcile("the same", map[Code]string{LogUnreachable: "refused", NotReady: "", "unheard-of": "x"}, nil, nil)

	want := []Active{
		{condition(t, NotReady), start.Add(2 * time.Second), ""},
		{condition(t, LogUnreachable), start.Add(time.Second), "refused"},
		{Condition{Code: "unheard-of", Severity: SeverityWarning}, start.Add(2 * time.Second), "x"},
	}
	if diff := cmp.Diff(want, tracker.Active()); diff != "" {
		t.Errorf("active (-want +got):\n%s", diff)
	}

	reconcile("nothing", nil, nil, []Code{NotReady, LogUnreachable, "unheard-of"})
	reconcile("back", map[Code]string{LogUnreachable: "again"}, []Code{LogUnreachable}, nil)
	if got := tracker.Active()[0]; got.Code != LogUnreachable || !got.Since.Equal(start.Add(6*time.Second)) {
		t.Errorf("a condition that came back is %v, want it to begin anew", got)
	}
}

func codesOf(all []Active) (codes []Code) {
	for _, a := range all {
		codes = append(codes, a.Code)
	}
	return codes
}

// A source ends its own conditions only.
func TestSourcesAreApart(t *testing.T) {
	t.Parallel()
	tracker := NewTracker(time.Now)
	tracker.Reconcile("one", map[Code]string{FileRefused: "", DiskFull: ""})
	if c := tracker.Reconcile("other", map[Code]string{LogCut: ""}); len(c.Ended) != 0 {
		t.Errorf("another source ended %v", c.Ended)
	}
	if c := tracker.Reconcile("one", map[Code]string{DiskFull: ""}); len(c.Ended) != 1 || c.Ended[0].Code != FileRefused {
		t.Errorf("ended %v", c.Ended)
	}
	if got := codesOf(tracker.Active()); !slices.Equal(got, []Code{LogCut, DiskFull}) && !slices.Equal(got, []Code{DiskFull, LogCut}) {
		t.Errorf("active are %v", got)
	}
}

func TestChangesAreLogged(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(1000, 0)}
	tracker := NewTracker(c.now)
	var text strings.Builder
	logger := zerolog.New(&text)
	tracker.Reconcile("own", map[Code]string{DiskNearlyFull: "/data", DiskFull: ""}).Log(logger)
	tracker.Reconcile("own", map[Code]string{DiskNearlyFull: "/data", DiskFull: ""}).Log(logger)
	c.advance(1500 * time.Millisecond)
	tracker.Reconcile("own", map[Code]string{DiskFull: "", RootKeyOnline: ""}).Log(logger)
	want := fmt.Sprintf(`{"level":"error","condition":"disk-full","meaning":%q,"detail":"","message":"condition began"}
{"level":"warn","condition":"disk-nearly-full","meaning":%q,"detail":"/data","message":"condition began"}
{"level":"info","condition":"root-key-online","meaning":%q,"detail":"","message":"condition began"}
{"level":"info","condition":"disk-nearly-full","after":"1.5s","message":"condition ended"}
`, condition(t, DiskFull).Sentence, condition(t, DiskNearlyFull).Sentence, condition(t, RootKeyOnline).Sentence)
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("logged (-want +got):\n%s", diff)
	}
}

func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

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
				tracker.Reconcile(string(code), map[Code]string{code: fmt.Sprint(i)})
				if n := len(tracker.Active()); n > 3 {
					t.Errorf("%d conditions are active, only 3 were ever set", n)
				}
				tracker.Reconcile(string(code), nil)
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

// Every code is declared as a constant and every constant is in the catalogue, so that Reconcile cannot be given a code no one can look up.
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
