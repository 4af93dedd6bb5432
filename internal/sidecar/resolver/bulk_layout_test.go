package resolver_test

import (
	"fmt"
	"testing"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// The question for all flags has one layout, whatever sets were asked for before with the same working memory, and sets without flags have none.
func TestLayoutsAreOfWhatIsSelected(t *testing.T) {
	w := newWorld(t, "f", planned, "g", settled(1, ``))
	var q resolver.BulkRequest
	for i := range 50 {
		for _, selector := range []string{fmt.Sprintf("flagSetId=nowhere-%d", i), ""} {
			if err := w.BeginAll(t.Context(), &q, resolver.Headers{Selector: []byte(selector)}); err != nil {
				t.Fatal(err)
			}
			if _, err := q.Answer(t.Context(), nil, nil, &encoder{form: "one"}); err != nil {
				t.Fatal(err)
			}
			q.End()
		}
	}
	if n := w.Layouts(); n != 1 {
		t.Errorf("%d layouts, want one", n)
	}
}

// While one request makes a layout, others are answered without it.
func TestLayoutsAreNotWaitedFor(t *testing.T) {
	w := newWorld(t, "f", planned, "g", settled(1, ``))
	done := w.MakeLayout()
	meanwhile, _ := w.all("", `{"plan":"gold"}`)
	done()
	if after, _ := w.all("", `{"plan":"gold"}`); meanwhile != after || w.Layouts() != 1 {
		t.Errorf("%s while a layout is made, %s with one; %d layouts", meanwhile, after, w.Layouts())
	}
}
