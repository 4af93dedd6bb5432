package resolver_test

import (
	"context"
	"errors"
	"testing"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// answerAll returns the answer about all flags to a client that has the answers with the validators in known.
func (w *world) answerAll(ctx context.Context, known string, e resolver.BulkEncoder) (resolver.BulkAnswer, string, error) {
	w.t.Helper()
	var q resolver.BulkRequest
	if err := w.BeginAll(w.t.Context(), &q, resolver.Headers{}); err != nil {
		w.t.Fatal(err)
	}
	defer q.End()
	answer, err := q.Answer(ctx, nil, []byte(known), e)
	return answer, string(answer.Tag), err
}

// A client that has the answer is told so, without need of memory where nothing has to be evaluated for it.
func TestAKnownBulkAnswerIsNotModified(t *testing.T) {
	const anyTime = `{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a","targeting":{"if":[{"%":[{"var":"$flagd.timestamp"},2]},"a","a"]}}`
	for _, test := range []struct {
		name, flag string
		asked      int // for memory
	}{
		{"the same inputs", planned, 0},
		{"the same body", anyTime, 1},
	} {
		w := newWorld(t, "f", test.flag)
		first, tag, err := w.answerAll(t.Context(), "", &encoder{form: "test"})
		if err != nil || first.NotModified || len(first.Body) == 0 || tag == "" {
			t.Fatalf("%s: first %+v, %v", test.name, first, err)
		}
		e := encoder{form: "test"}
		again, sameTag, err := w.answerAll(t.Context(), `"other", W/"`+tag+`"`, &e)
		if err != nil || !again.NotModified || sameTag != tag || e.asked != test.asked || len(again.Body) > 0 != (test.asked > 0) {
			t.Errorf("%s: again %+v, %v; asked for memory %d times", test.name, again, err, e.asked)
		}
		other, _, err := w.answerAll(t.Context(), `"other", *`, &encoder{form: "test"})
		if err != nil || other.NotModified || string(other.Body) != string(first.Body) {
			t.Errorf("%s: with another validator %+v, %v", test.name, other, err)
		}
		if _, otherTag, _ := w.answerAll(t.Context(), tag, &encoder{form: "other"}); test.asked == 0 && otherTag == tag {
			t.Errorf("%s: the validator holds for another form", test.name)
		}
	}
}

// An answer that ends early has an error and no validator, and is not remembered.
func TestAnInterruptedBulkAnswerIsNone(t *testing.T) {
	w := newWorld(t, manyOf(600, `{"if":[{"==":[{"var":"plan"},"pro"]},"on"]}`)...)
	w.remember()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	for range 2 {
		e := encoder{form: "interrupted"}
		answer, tag, err := w.answerAll(ctx, "", &e)
		if !errors.Is(err, resolver.ErrGone) || tag != "" || answer.NotModified || !e.encoded {
			t.Errorf("answered %d bytes, tag %q, %v, encoded %t", len(answer.Body), tag, err, e.encoded)
		}
	}
}

// A request that cannot begin leaves nothing behind: it can be used for the next one, which demands nothing.
func TestARequestThatCannotBeginForgets(t *testing.T) {
	w := newWorld(t, "f", planned)
	w.cut.Store(true)
	var q resolver.Request
	for _, h := range []map[string]string{
		{resolver.HeaderSelector: "x"},
		{resolver.HeaderSelector: "flagSetId=x", resolver.HeaderMinRevision: "x"},
		{resolver.HeaderSelector: "flagSetId=x", resolver.HeaderMinRevision: "00000000-1", resolver.HeaderFreshness: "always_fresh"},
	} {
		if err := w.Begin(t.Context(), &q, []byte("f"), headers(h)); err == nil {
			t.Fatalf("%v: begun", h)
		}
		begin(t, w.Resolver, &q, "f")
		if got := answer(t, &q, ""); got.ErrorCode != "" || got.Reason != eval.ReasonDefault || q.Demanding() || w.barriers.Load() != 0 {
			t.Errorf("after %v: %+v", h, got)
		}
		q.End()
	}
}
