package main

import (
	"slices"
	"strings"
	"testing"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	if got, err := numbers("--curve", "10, 100,1000", 1); err != nil || !slices.Equal(got, []int{10, 100, 1000}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"", "0", "ten", "10,,20", "-1"} {
		if _, err := numbers("--curve", text, 1); err == nil || !strings.Contains(err.Error(), "--curve") {
			t.Errorf("%q: error %v, want one that names the option", text, err)
		}
	}
}
