package ofrep

import (
	"fmt"
	"slices"
	"testing"
)

// More flag sets than there are layouts for are answered item by item: with the same bytes, and the same validators.
func TestAnswersWithoutALayoutAreTheSame(t *testing.T) {
	const sets = 40
	f := newFleet(t)
	for i := range sets {
		f.put(fmt.Sprint("settled-", i), fmt.Sprintf(`"metadata":{"flagSetId":"set-%d"}`, i))
		f.put(fmt.Sprint("asked-", i), fmt.Sprintf(`"metadata":{"flagSetId":"set-%d"},"targeting":{"if":[{"var":"plan"},"a","b"]}`, i))
	}
	var order []int
	for i := range sets {
		order = append(order, i)
	}
	answers := make(map[question][2]string)
	for s := range 2 {
		f.deliver(f.sidecars[s])
		for _, i := range order {
			for _, context := range []string{`{"plan":"gold"}`, `{}`} {
				q := question{fmt.Sprintf("flagSetId=set-%d", i), context}
				_, body, tag := f.sidecars[s].ask(q, "")
				answer := [2]string{body, tag}
				if before, ok := answers[q]; ok && before != answer {
					t.Errorf("%+v: %q, before %q", q, answer, before)
				}
				answers[q] = answer
			}
		}
		slices.Reverse(order)
	}
	if len(answers) != 2*sets {
		t.Errorf("%d answers", len(answers))
	}
}
