package flagset

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// file is as much of a flag file as the tests look at.
type file struct {
	Flags map[string]struct {
		Prerequisites []prerequisite `json:"prerequisites"`
	} `json:"flags"`
}

func decode(t *testing.T, data []byte) file {
	t.Helper()
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestGenerateIsDeterministic(t *testing.T) {
	t.Parallel()
	first, second := Generate(500, 7), Generate(500, 7)
	if !bytes.Equal(first, second) {
		t.Error("the same number and seed gave different files")
	}
	if bytes.Equal(first, Generate(500, 8)) {
		t.Error("another seed gave the same file")
	}
}

// A flag does not depend on how many follow it, so that sets of different sizes can be compared.
func TestGenerateExtends(t *testing.T) {
	t.Parallel()
	small, large := Generate(100, 7), Generate(200, 7)
	if !bytes.HasPrefix(large, bytes.TrimSuffix(small, []byte("\n}}\n"))) {
		t.Error("the first 100 of 200 flags differ from 100 flags")
	}
}

func TestGenerateCounts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 1000} {
		f := decode(t, Generate(n, 1))
		if len(f.Flags) != n {
			t.Errorf("asked for %d flags, got %d", n, len(f.Flags))
		}
		for i := range n {
			if _, ok := f.Flags[Key(i, 1)]; !ok {
				t.Errorf("of %d flags, flag %d (%s) is missing", n, i, Key(i, 1))
			}
		}
	}
}

func TestGenerateMix(t *testing.T) {
	t.Parallel()
	const n = 5000
	counts := map[shape]int{}
	for i := range n {
		counts[shapeOf(i, 1)]++
	}
	for _, part := range mix() {
		want := n * part.share / 100
		if got := counts[part.shape]; got < want/2 || got > want*2 {
			t.Errorf("%d of %d flags have the shape %s, want about %d", got, n, part.shape, want)
		}
	}
}

func TestPrerequisitesAreSwitches(t *testing.T) {
	t.Parallel()
	found := 0
	for key, flag := range decode(t, Generate(1000, 1)).Flags {
		for _, needed := range flag.Prerequisites {
			found++
			if !strings.Contains(needed.Flag, string(shapeSwitch)) {
				t.Errorf("%s needs %s, which is no switch", key, needed.Flag)
			}
		}
	}
	if found == 0 {
		t.Error("no flag has a prerequisite")
	}
}
