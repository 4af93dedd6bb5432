package eval

import (
	"fmt"
	"testing"

	"github.com/flagside/flagside/document"
)

func TestVariantsAreFoundByName(t *testing.T) {
	for n := range 17 {
		var list variantList
		for i := range n {
			list.add(&Variant{name: fmt.Sprint("v", (i*17)%n)})
		}
		list.order()
		v := list.ordered
		for _, want := range list.given {
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

// Flags share variants that are written the same, which is no reason to leave out what is wrong with them.
func TestVariantsAreShared(t *testing.T) {
	r, problems := New().Update([]document.Document{
		flagDocument("a", 1, ""), flagDocument("b", 2, onForEverybody),
		{Kind: document.KindFlag, Key: "c", Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":0},"defaultVariant":"on"}`)},
		{Kind: document.KindFlag, Key: "d", Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":0},"defaultVariant":"on"}`)},
	})
	if r.Flag("a").Variant("on") != r.Flag("b").Variant("on") {
		t.Error("two flags have variants of their own")
	}
	if len(problems) != 2 || problems[0].Key != "c" || problems[1].Key != "d" {
		t.Error(problems)
	}
	wantAnswer(t, r, "a", "{}", "STATIC off")
	wantAnswer(t, r, "b", "{}", "TARGETING_MATCH on")
}
