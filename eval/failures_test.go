package eval

import "testing"

// TestErrorsAreCountedForEachFlag wants errors counted for the flag that errs, over all of its versions, without allocating.
func TestErrorsAreCountedForEachFlag(t *testing.T) {
	const failing = `,"targeting":{"if":[{"+":[{"var":"x"}]},"on"]}`
	r := apply(t, New(), flagDocument("a", 1, failing), flagDocument("b", 1, `,"targeting":{"var":"tier"}`))
	want := func(key string, wantParse, wantGeneral uint64) {
		t.Helper()
		if parse, general := r.Flag(key).Errors(); parse != wantParse || general != wantGeneral {
			t.Errorf("%s: %d and %d errors, want %d and %d", key, parse, general, wantParse, wantGeneral)
		}
	}
	evaluate(t, r, "a", []byte(`{}`))
	evaluate(t, r, "a", []byte(`{"x":1}`))
	evaluate(t, r, "b", []byte(`{"tier":"gold"}`))
	evaluate(t, r, "b", []byte(`{"tier":"on"}`))
	want("a", 1, 0)
	want("b", 0, 1)
	r = apply(t, r, flagDocument("a", 2, failing+`,"owner":"x"`))
	evaluate(t, r, "a", []byte(`{}`))
	want("a", 2, 0)
	r, _ = refused(t, r, flagDocument("a", 3, `,"targeting":5`))
	evaluate(t, r, "a", []byte(`{}`))
	want("a", 3, 0)
	r, _ = refused(t, r, flagDocument("new", 1, `,"targeting":5`))
	evaluate(t, r, "new", []byte(`{}`))
	want("new", 1, 0)
	f, c := r.Flag("a"), new(Context)
	if n := testing.AllocsPerRun(100, func() { f.Evaluate(c, testTime) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
