package eval

import (
	"fmt"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
)

// A flag answers the same in two contexts that do not differ in what it has read in one of them, unless the clock had a part in that: for every
// pair of contexts, and rules that read attributes, parts of them, names that are computed, and the context as a whole.
func TestWhatIsNotReadDoesNotMatter(t *testing.T) {
	t.Parallel()
	rules := []string{
		`{"if":[{"==":[{"var":"plan"},"gold"]},{"if":[{"var":"beta"},"a","b"]},"c"]}`,
		`{"if":[{"in":["x",{"var":"list"}]},"a","b"]}`,
		`{"if":[{"==":[{"var":"device.os"},"ios"]},"a",{"var":"device.kind"},"b","c"]}`,
		`{"if":[{"==":[{"var":{"cat":["pl","an"]}},"gold"]},"a","b"]}`,
		`{"if":[{"missing":["plan","beta"]},"a","b"]}`,
		`{"if":[{"some":[{"var":"list"},{"==":[{"var":""},"y"]}]},"a","b"]}`,
		`{"fractional":[["a",1],["b",1],["c",1]]}`,
		`{"if":[{"==":[{"var":""},{"var":"nothing"}]},"a","b"]}`,
	}
	contexts := []string{`{}`, `null`}
	for _, plan := range []string{`"gold"`, `"free"`, `7`} {
		for _, beta := range []string{`true`, `0`, `-0`} {
			for _, rest := range []string{`"list":["x"]`, `"list":["y"]`, `"device":{"os":"ios"}`, `"device":{"os":"web","kind":1}`, `"targetingKey":"1"`, `"targetingKey":"2"`} {
				contexts = append(contexts, fmt.Sprintf(`{"plan":%s,"beta":%s,%s}`, plan, beta, rest))
			}
		}
	}
	var documents []document.Document
	for i, rule := range rules {
		documents = append(documents, document.Document{
			Kind: document.KindFlag, Key: fmt.Sprint("f", i), Revision: 1,
			Body: []byte(`{"state":"ENABLED","variants":{"a":1,"b":2,"c":3},"defaultVariant":"c","targeting":` + rule + `}`),
		})
	}
	documents = append(documents, document.Document{
		Kind: document.KindFlag, Key: "needs", Revision: 1,
		Body: []byte(`{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a","offVariant":"b","prerequisites":[{"flag":"f0","variants":["a","b"]}]}`),
	})
	r, problems := New().Update(documents)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	now, kept := time.Unix(1_700_000_000, 0), 0
	for _, first := range contexts {
		for _, second := range contexts {
			var c, d Context
			if r.DecodeContext(&c, []byte(first)) != nil || r.DecodeContext(&d, []byte(second)) != nil {
				t.Fatal("a context cannot be decoded")
			}
			differ := d.Differences(&c)
			for _, flag := range r.Flags() {
				before := flag.Evaluate(&c, now)
				if before.ClockRead || c.Reads()&differ != 0 {
					continue
				}
				kept++
				if after := flag.Evaluate(&d, now); after.Variant != before.Variant || after.Reason != before.Reason || after.ErrorCode != before.ErrorCode || after.Rule != before.Rule {
					t.Errorf("%s: %+v in %s, %+v in %s", flag.Key(), before, first, after, second)
				}
			}
		}
	}
	if all := len(contexts) * len(contexts) * len(r.Flags()); kept < all/10 || kept > all*9/10 {
		t.Errorf("%d of %d answers rest on what is the same", kept, all)
	}
}
