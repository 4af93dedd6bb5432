package kubernetes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func FuzzParseSecret(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"a","name":"x","resourceVersion":"1","uid":"u"},"data":{"token":"c2VjcmV0"},"immutable":true}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"a","name":"x"},"data":{"token":null},"type":"Opaque"}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"a","name":"x"},"data":{"token":"-"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseSecret(text, "a", "x")
		if err != nil {
			if len(err.Error()) > 1000 && len(text) < 1000 {
				t.Errorf("the error is longer than the text: %v", err)
			}
			return
		}
		written, err := s.format()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseSecret(written, "a", "x")
		if diff := cmp.Diff(s, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

func FuzzParseStatus(f *testing.F) {
	f.Add(403, []byte(`{"kind":"Status","reason":"Forbidden","message":"no"}`))
	f.Fuzz(func(t *testing.T, code int, text []byte) {
		if told := parseStatus(code, text).Error(); strings.ContainsAny(told, "\n\r\x1b\x00") || len(told) > 2*maxMessage+100 {
			t.Errorf("%q", told)
		}
	})
}
