package events_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/sidecar/usage/events"
)

func TestParse(t *testing.T) {
	t.Parallel()
	f := func(body string, want ...events.Event) {
		t.Helper()
		got, err := events.Parse([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	f(`{"event":"bought"}`, events.Event{Event: "bought"})
	f(" [ {\"event\":\"bought\",\"targetingKey\":\"u\",\"value\":12.5,\"error\":true,\"flags\":[\"a\",\"b\"]},\n{\"event\":\"x\",\"value\":null} ] ",
		events.Event{Event: "bought", TargetingKey: "u", Value: 12.5, Error: true, Flags: []string{"a", "b"}}, events.Event{Event: "x"})
	f(`{"event":"x","timestamp":5,"Value":7,"extra":{"a":[1]}}`, events.Event{Event: "x"})
	f("{\"event\":\"x\",\"targetingKey\":\"a\xffb\"}", events.Event{Event: "x", TargetingKey: "a\uFFFDb"})
	f(`{"targetingKey":"u","exposure":{"flag":"a","variant":"on","version":7}}`, events.Event{TargetingKey: "u", Exposure: &events.Shown{Flag: "a", Variant: "on", Version: 7}})
	f(`{"event":"x","exposure":null}`, events.Event{Event: "x"})
}

// TestParseRefuses wants an error that names the place, and quotes no value.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const secret = "canary"
	for body, want := range map[string]string{
		``:            "ends before",
		`  `:          "ends before",
		`null`:        "null",
		`[]`:          "empty",
		`{`:           "ends before",
		`"canary"`:    "want an event, which is an object, or a list",
		`[5]`:         "/0: want an event",
		`{}`:          "/event: missing",
		`{"event":5}`: "/event: want a string",
		`[{"event":"a"},{"event":"canary\u0000"}]`:                                                     "/1/event: control",
		`[{"event":"a"},{"event":"b","value":"canary"}]`:                                               "/1/value: want a number",
		`{"event":"b","value":1e999}`:                                                                  "/value: want a number",
		`{"event":"b","error":"canary"}`:                                                               "/error: want true or false",
		`{"event":"b","targetingKey":{"canary":1}}`:                                                    "/targetingKey: want a string",
		`{"event":"b","flags":"canary"}`:                                                               "/flags: want a list",
		`{"event":"b","flags":[5]}`:                                                                    "/flags/0: want a string",
		`{"event":"b","flags":[""]}`:                                                                   "/flags/0: want the key",
		`{"event":"b","flags":[null]}`:                                                                 "/flags/0: want the key",
		`{"event":"b","flags":["` + strings.Repeat("k", 1025) + `"]}`:                                  "/flags/0: want the key",
		`{"event":"b","flags":[` + strings.Repeat(`"k",`, 50) + `"k"]}`:                                "/flags: 51 flags",
		`{"event":"` + strings.Repeat("e", events.MaxName+1) + `"}`:                                    "/event: 256 bytes",
		`[` + strings.Repeat(`{"event":"e"},`, 100) + `{"event":"e"}]`:                                 "101 events",
		`{"event":"a","event":"canary"}`:                                                               "twice",
		`{"event":"a"} {"event":"canary"}`:                                                             "at byte 14: not valid",
		`{"event":"a",canary}`:                                                                         "not valid",
		`{"exposure":{"flag":"a","variant":"on"}}`:                                                     "/targetingKey: missing",
		`{"targetingKey":"canary","exposure":{"variant":"on"}}`:                                        "/exposure/flag",
		`{"targetingKey":"canary","exposure":{"flag":"a"}}`:                                            "/exposure/variant",
		`{"targetingKey":"canary","exposure":{"flag":"a","variant":"on","version":-1}}`:                "/exposure/version: want a whole number",
		`{"targetingKey":"canary","exposure":[]}`:                                                      "/exposure: want an object",
		`[{"event":"e"},{"event":"e","targetingKey":"canary","exposure":{"flag":"a","variant":"on"}}]`: "/1/exposure: an exposure has only",
	} {
		all, err := events.Parse([]byte(body))
		if err == nil {
			t.Errorf("%s: %+v", body, all)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %q, want %q", body, err, want)
		}
	}
}

// FuzzParse wants everything that is accepted to be within the limits, and to be accepted again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"event":"bought","targetingKey":"u","value":1.5,"error":true,"flags":["a"]}`, `[{"event":"a"},{"event":"b"}]`,
		`{"targetingKey":"u","exposure":{"flag":"a","variant":"on","version":7}}`, `null`, `[]`, `[null]`, "{\"event\":\"\xff\"}", `{"event":"a"}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		all, err := events.Parse(body)
		if err != nil {
			return
		}
		if len(all) == 0 || len(all) > events.MaxEvents {
			t.Fatalf("%d events", len(all))
		}
		for _, e := range all {
			if e.Exposure == nil && (e.Event == "" || len(e.Event) > events.MaxName || len(e.Flags) > events.MaxFlags) {
				t.Fatalf("%+v", e)
			}
			if e.Exposure != nil && (e.TargetingKey == "" || e.Exposure.Flag == "" || e.Exposure.Variant == "") {
				t.Fatalf("%+v", e)
			}
		}
	})
}
