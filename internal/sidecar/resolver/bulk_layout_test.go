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
