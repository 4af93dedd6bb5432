package eval

import (
	"testing"
	"time"

	"github.com/flagside/flagside/document"
)

// Who owns a segment changes no answer, and is not told to those who read its rule.
func TestOwnedSegmentAnswersAsBefore(t *testing.T) {
	for _, body := range []string{
		`{"in":[{"var":"country"},["FR"]],"$source":"shop"}`, `{"$source":"shop","in":[{"var":"country"},["FR"]]}`, `{"in":[{"var":"country"},["FR"]]}`,
	} {
		for _, c := range []Compatibility{"", CompatibilityFlagd} {
			r, problems := New().Update([]document.Document{
				{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(`{"compatibility":"` + string(c) + `","$source":"shop"}`)},
				{Kind: document.KindSegment, Key: "french", Body: []byte(body)},
				{Kind: document.KindFlag, Key: "f", Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off",` +
					`"targeting":{"if":[{"$ref":"french"},"on","off"]},"$source":"shop"}`)},
			})
			if len(problems) > 0 {
				t.Fatalf("%s, %q: %v", body, c, problems)
			}
			for context, want := range map[string]string{`{"country":"FR"}`: "on", `{"country":"DE"}`: "off"} {
				var given Context
				if err := r.DecodeContext(&given, []byte(context)); err != nil {
					t.Fatal(err)
				}
				if got := r.Flag("f").Evaluate(&given, time.Time{}); got.Variant.Name() != want {
					t.Errorf("%s, %q, %s: got %s, want %s", body, c, context, got.Variant.Name(), want)
				}
			}
			if got, _ := r.SegmentDocument("french"); string(got) != `{"in":[{"var":"country"},["FR"]]}` {
				t.Errorf("%s, %q: the rule is %s", body, c, got)
			}
		}
	}
	_, problems := New().Update([]document.Document{{Kind: document.KindSegment, Key: "s", Body: []byte(`{"$source":"shop","in":[{"vra":"x"},["a"]]}`)}})
	if len(problems) != 1 || problems[0].Pointer != "/in/0" {
		t.Errorf("a mistake in an owned segment is %+v", problems)
	}
}
