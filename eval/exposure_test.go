package eval

import (
	"testing"
	"time"
)

// TestSubject wants the targeting key where a flag asks for exposures, whether its rule reads it or not, and nothing elsewhere.
func TestSubject(t *testing.T) {
	r := apply(t, New(), flagDocument("plain", 1, ""), flagDocument("asks", 1, `,"exposures":true`), flagDocument("says-no", 1, `,"exposures":false`),
		flagDocument("splits", 1, `,"exposures":true,"targeting":{"fractional":[["on",50],["off",50]]}`))
	for key, asks := range map[string]bool{"plain": false, "asks": true, "says-no": false, "splits": true} {
		if r.Flag(key).Exposures() != asks {
			t.Errorf("%s: asks for exposures: %t", key, !asks)
		}
	}
	subject := func(flag, data string) string {
		t.Helper()
		var c Context
		if err := r.DecodeContext(&c, []byte(data)); err != nil {
			t.Fatal(err)
		}
		f := r.Flag(flag)
		f.Evaluate(&c, time.Unix(0, 0))
		return f.Subject(&c)
	}
	for data, want := range map[string]string{
		`{"targetingKey":"user-1"}`: "user-1", `{"targetingKey":"\u00e4"}`: "ä", `{"targetingKey":""}`: "", `{"targetingKey":5}`: "", `{"targetingKey":{"a":"b"}}`: "",
		`{"targetingkey":"x"}`: "", `{}`: "", ``: "",
	} {
		for _, key := range []string{"asks", "splits"} {
			if got := subject(key, data); got != want {
				t.Errorf("%s, %s: %q, want %q", key, data, got, want)
			}
		}
		for _, key := range []string{"plain", "says-no"} {
			if got := subject(key, data); got != "" {
				t.Errorf("%s, %s: %q", key, data, got)
			}
		}
	}
	if (&Context{}).slot(0).kind != kindNull || r.Flag("asks").Subject(new(Context)) != "" {
		t.Error("an empty context has a targeting key")
	}
}

// TestSubjectOfLaterRuleset wants contexts that were decoded for a later ruleset to do for flags of an earlier one, as for pinned requests.
func TestSubjectOfLaterRuleset(t *testing.T) {
	first := apply(t, New(), flagDocument("asks", 1, `,"exposures":true`))
	later := apply(t, first, flagDocument("reads", 2, `,"targeting":{"if":[{"==":[{"var":"plan"},"pro"]},"on","off"]}`), flagDocument("asks", 3, ""))
	var c Context
	if err := later.DecodeContext(&c, []byte(`{"plan":"pro","targetingKey":"u"}`)); err != nil {
		t.Fatal(err)
	}
	if got := first.Flag("asks").Subject(&c); got != "u" {
		t.Errorf("%q", got)
	}
	if later.Flag("asks").Exposures() {
		t.Error("it still asks")
	}
}
