package main

import (
	"testing"

	"github.com/flagside/flagside/eval"
)

// BenchmarkEval measures every line of the table as two sub-benchmarks, for comparisons with benchstat.
func BenchmarkEval(b *testing.B) {
	for _, c := range comparisons() {
		b.Run(c.name+"/flagside", c.flagside)
		if c.flagd != nil {
			b.Run(c.name+"/flagd", c.flagd)
		}
	}
}

// TestBothAnswerAlike makes sure that what is compared is the same work with the same result.
func TestBothAnswerAlike(t *testing.T) {
	attributes, err := decode([]byte(request))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range singles() {
		rules, err := flagside(fileOf(s))
		if err != nil {
			t.Fatal(err)
		}
		var c eval.Context
		if err := rules.DecodeContext(&c, []byte(request)); err != nil {
			t.Fatal(err)
		}
		got := rules.Flag(s.name).Evaluate(&c, now)
		if got.Variant == nil || s.targeting != "" && got.Reason != eval.ReasonTargetingMatch {
			t.Fatalf("%s: %+v", s.name, got)
		}
		if !s.flagd {
			continue
		}
		f, err := newFlagd(fileOf(s))
		if err != nil {
			t.Fatal(err)
		}
		variant, reason, err := f.one(t.Context(), s.name, attributes)
		if err != nil || variant != got.Variant.Name() || reason != string(got.Reason) {
			t.Errorf("%s: flagside %s %s, flagd %s %s %v", s.name, got.Variant.Name(), got.Reason, variant, reason, err)
		}
	}
}

// TestBothMatchAlike compares how many rules match in the bulk evaluations.
func TestBothMatchAlike(t *testing.T) {
	attributes, err := decode([]byte(request))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"one rule": manyOf(100), "mixed": mixOf(100)} {
		rules, err := flagside(data)
		if err != nil {
			t.Fatal(err)
		}
		var c eval.Context
		if err := rules.DecodeContext(&c, []byte(request)); err != nil {
			t.Fatal(err)
		}
		f, err := newFlagd(data)
		if err != nil {
			t.Fatal(err)
		}
		want, err := f.all(t.Context(), attributes)
		if err != nil {
			t.Fatal(err)
		}
		if got := all(rules, &c); got != want || got == 0 {
			t.Errorf("%s: %d rules of flagside match, %d of flagd", name, got, want)
		}
	}
}
