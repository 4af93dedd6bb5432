package logtest_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/flagside/flagside/internal/logtest"
)

func TestLog(t *testing.T) {
	t.Parallel()
	var l logtest.Log
	fmt.Fprint(&l, "one of two\ntwo\n\ntwo of ")
	if got, want := l.Lines("two"), []string{"one of two", "two"}; !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
	if got, want := l.Lines("two", "one"), []string{"one of two"}; !slices.Equal(got, want) {
		t.Errorf("lines with both %q, want %q", got, want)
	}
	if got := l.Lines(); len(got) != 3 {
		t.Errorf("all whole lines are %q", got)
	}
	text := l.String()
	if got := l.Take(); got != text || l.String() != "" || l.Take() != "" {
		t.Errorf("took %q, %q is left", got, &l)
	}
}
