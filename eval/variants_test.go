package eval

import (
	"fmt"
	"testing"
)

func TestVariantsAreFoundByName(t *testing.T) {
	for n := range 17 {
		var list []*Variant
		for i := range n {
			list = append(list, &Variant{name: fmt.Sprint("v", (i*17)%n)})
		}
		v := newVariants(list)
		for _, want := range list {
			if got := v.named(want.name); got != want {
				t.Errorf("%d variants, %s: got %v", n, want.name, got)
			}
		}
		for _, name := range []string{"", "v", "w", "v00"} {
			if got := v.named(name); got != nil {
				t.Errorf("%d variants, %q: got %s", n, name, got.name)
			}
		}
	}
}
