package jsonbody_test

import (
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/sidecar/jsonbody"
)

// Every error names the place, and none quotes what stands there.
func TestErrorsNameThePlace(t *testing.T) {
	t.Parallel()
	shape := jsonbody.Shape{Whole: "want an object", Members: map[string]string{"name": "want a string", "all": "want a list", "all/": "want a number"}}
	for body, want := range map[string]string{
		`{"name":"a","all":[1,2],"more":{"name":[]}}`: "",
		"{\"name\":\"a\xff\"}":                        "",
		`{"name":{"canary":1}}`:                       "/name: want a string",
		`{"name":"` + strings.Repeat("[", 20_000):     "ends before",
		`{"all":{"canary":1}}`:                        "/all: want a list",
		`{"all":[1,"canary"]}`:                        "/all/1: want a number",
		`{"all":[1,1e400]}`:                           "/all/1: want a number",
		`{"other":"canary"}`:                          "/other: another type",
		`["canary"]`:                                  "the body: want an object",
		`{"name":"a","name":"canary"}`:                "a member is there twice",
		`{"name":"a"}{"canary":1}`:                    "at byte 12: not valid JSON",
		`{"name":NaN}`:                                "at byte 8: not valid JSON",
		`{"more":` + strings.Repeat("[", 20_000):      "not valid JSON",
		``:                                            "ends before",
		`{"name":"can`:                                "ends before",
	} {
		var into struct {
			Name  string    `json:"name"`
			All   []float64 `json:"all"`
			Other int       `json:"other"`
		}
		err := jsonbody.Read([]byte(body), &into, shape)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "can")) {
			t.Errorf("%.60q: %v, want %q", body, err, want)
		}
	}
}
