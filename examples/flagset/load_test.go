package flagset_test

import (
	"testing"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/examples/flagset"
)

// Every flag that is made up must be one that a publisher accepts without a word.
func TestGeneratedFlagsLoad(t *testing.T) {
	t.Parallel()
	const n = 2000
	documents, problems := eval.ParseFile(flagset.Generate(n, 1), "")
	if len(problems) > 0 {
		t.Fatal(problems[:min(len(problems), 10)])
	}
	for i := range documents {
		documents[i].Revision = uint64(i) + 1
	}
	rules, problems := eval.New().Update(documents)
	if len(problems) > 0 {
		t.Fatal(problems[:min(len(problems), 10)])
	}
	if rules.Len() != n {
		t.Errorf("%d of %d flags were loaded", rules.Len(), n)
	}
}
