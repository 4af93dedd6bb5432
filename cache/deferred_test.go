package cache

import (
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/trusttest"
)

// reasonOf evaluates a flag in an empty context.
func reasonOf(t *testing.T, rules *eval.Ruleset, key string) string {
	t.Helper()
	f := rules.Flag(key)
	if f == nil {
		t.Fatalf("there is no flag %s", key)
	}
	r := f.Evaluate(nil, time.Unix(0, 0))
	return string(r.Reason) + " " + string(r.ErrorCode) + " " + string(r.Value())
}

// Most flags of a first state are compiled later, and a flag that cannot be compiled answers the same error and is reported all the same.
func TestRestoreLeavesFlagsForLater(t *testing.T) {
	s := filled(t, t.TempDir(), 100)
	broken := document.Document{Kind: document.KindFlag, Key: "never-good", Body: []byte(`{"state":"ENABLED","variants":{"on":true},"colour":"red"}`)}
	h := s.View().Header().Head
	tx := following(t, trusttest.Default().Signer(), s.View(), broken)
	apply(t, s, tx)
	s.rewrite()
	want := reasonOf(t, s.View().Rules(), "never-good")

	s = restart(t, s)
	rules := s.View().Rules()
	if rules.Finished() {
		t.Fatal("all flags were compiled")
	}
	if got := s.View().Position(); got.Revision <= h.Revision {
		t.Fatalf("restored %d", got.Revision)
	}
	if got := reasonOf(t, rules, "never-good"); got != want || want != "ERROR PARSE_ERROR " {
		t.Errorf("%q, want %q", got, want)
	}
	if rules.Len() != 101 || rules.Finished() {
		t.Errorf("%d flags, finished: %v", rules.Len(), rules.Finished())
	}
	if problems := rules.Problems(); len(problems) != 1 || problems[0].Key != "never-good" || !rules.Finished() {
		t.Errorf("problems %v", problems)
	}
}

// What changed since the snapshot is compiled at once, because an older version would have to be served of what does not compile.
func TestRestoreKeepsLastGoodOfTheTail(t *testing.T) {
	for name, change := range map[string]document.Document{
		"a flag that is broken":    {Kind: document.KindFlag, Key: "flag-7", Body: []byte(`{"state":"ENABLED","variants":{"on":true},"colour":"red"}`)},
		"a variant that is gone":   {Kind: document.KindFlag, Key: "flag-8", Body: []byte(`{"state":"ENABLED","variants":{"w":1},"defaultVariant":"w"}`)},
		"a segment that is broken": {Kind: document.KindSegment, Key: "segment", Body: []byte(`{"nonsense":[1]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			s := filled(t, t.TempDir(), 20)
			for _, doc := range []document.Document{
				{Kind: document.KindSegment, Key: "segment", Body: []byte(`{"==":[1,1]}`)},
				{Kind: document.KindFlag, Key: "uses", Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"$ref":"segment"},"on"]}}`)},
				{Kind: document.KindFlag, Key: "depends", Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","prerequisites":[{"flag":"flag-8","variants":["v"]}]}`)},
			} {
				apply(t, s, following(t, trusttest.Default().Signer(), s.View(), doc))
			}
			s.rewrite()
			keys := []string{"flag-7", "uses", "depends"}
			var want []string
			apply(t, s, following(t, trusttest.Default().Signer(), s.View(), change)) // in the tail only
			for _, key := range keys {
				want = append(want, reasonOf(t, s.View().Rules(), key))
			}
			problems := len(s.View().Rules().Problems())
			s = restart(t, s)
			rules := s.View().Rules()
			for i, key := range keys {
				if got := reasonOf(t, rules, key); got != want[i] {
					t.Errorf("%s: %q, want %q", key, got, want[i])
				}
			}
			if got := rules.Problems(); len(got) != problems || problems == 0 {
				t.Errorf("problems %v, want %d", got, problems)
			}
		})
	}
}
