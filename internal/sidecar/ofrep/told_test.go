package ofrep

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What is told is refused as a whole if a part of it cannot be, with the place.
func TestParseTold(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"client":"a","evaluations":[{"flag":"f","variant":"on","reason":"STATIC","count":3,"more":1}],"more":{}}`: "",
		`{"client":"a"}`:                        "",
		``:                                      "the body ends before the JSON does",
		`{"client":"a","evaluations":[{"flag":`: "the body ends before the JSON does",
		`{"evaluations":[]}`:                    "/client must have 1 to 64 bytes",
		`{"client":"` + strings.Repeat("x", 65) + `"}`:                                     "/client must have 1 to 64 bytes",
		`{"client":"a","evaluations":[{"flag":"f","reason":"STATIC"}]}`:                    "/evaluations/0: count is 0",
		`{"client":"a","evaluations":[{"flag":"f","reason":"STATIC","count":1000000001}]}`: "/evaluations/0: count is 1000000001",
		`{"client":"a","evaluations":[{"flag":"f","reason":"STATIC","count":-1}]}`:         "/evaluations/0/count: want a whole number",
		`{"client":"a","evaluations":[{"flag":"f","reason":7,"count":1}]}`:                 "/evaluations/0/reason: want a string",
		`{"client":"a","evaluations":[{"reason":"STATIC","count":1}]}`:                     "/evaluations/0: flag is missing",
		`{"client":"a","evaluations":[{"flag":"f","count":1}]}`:                            "/evaluations/0: reason is missing",
		`{"client":"a","evaluations":[` + strings.Repeat(`{},`, 1000) + `{}]}`:             "/evaluations has 1001 elements, at most 1000",
		`{"client":"a","client":"b"}`:                                                      "a member is there twice",
		`[]`:                                                                               "want an object with client",
	} {
		_, _, err := parseTold([]byte(body))
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && !strings.Contains(got, want) {
			t.Errorf("%.80s: %v, want %q", body, err, want)
		}
	}
}

// Whatever is told, it is refused or within the limits.
func FuzzParseTold(f *testing.F) {
	for _, body := range []string{
		`{"client":"a","evaluations":[{"flag":"f","variant":"on","reason":"STATIC","count":3}]}`, `{"client":"a","evaluations":[{"flag":"f","errorCode":"GENERAL","count":1}]}`,
		`{}`, `null`, `{"client":"\ud800"}`, "{\"client\":\"\xff\"}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		client, all, err := parseTold(body)
		if err != nil {
			return
		}
		if !json.Valid(body) || client == "" || len(all) > maxTold {
			t.Errorf("%q is taken as %q with %d", body, client, len(all))
		}
		for _, one := range all {
			if one.Flag == "" || one.N == 0 || one.N > maxToldTimes {
				t.Errorf("%q has %+v", body, one)
			}
		}
	})
}
