package eval

import (
	"testing"

	"github.com/flagside/flagside/document"
)

// TestWeightsAtTheirLimits evaluates weights that are known at compile time, and the same weights as attributes.
func TestWeightsAtTheirLimits(t *testing.T) {
	for weights, works := range map[string]bool{
		`[2147483647, 0]`:             true,
		`[2147483646, 1]`:             true,
		`[2147483647, 1]`:             false,
		`[2147483648, 0]`:             false,
		`[2147483648, -2147483648]`:   false,
		`[2147483647, -5]`:            true,
		`[2147483647, -1e15]`:         true,
		`[1, 0.5]`:                    false,
		`[1, "1"]`:                    false,
		`[1, true]`:                   false,
		`[1, null]`:                   true,
		`[0, 0]`:                      false,
		`[-1, -1]`:                    false,
		`[0, 1]`:                      true,
		`[1e9, 1147483647]`:           true,
		`[1e9, 1147483648]`:           false,
		`[1.0, 9007199254740993]`:     false,
		`[4294967296, -4294967295]`:   false,
		`[1073741824, 1073741823]`:    true,
		`[1073741824, 1073741824]`:    false,
		`[2147483647, -2147483647.5]`: false,
	} {
		p, err := parseSyntax([]byte(weights), false)
		if err != nil {
			t.Fatal(err)
		}
		first, second := string(p.root.items[0].raw(p.source)), string(p.root.items[1].raw(p.source))
		r, _ := New().Update([]document.Document{
			settingsDocument(`{"compatibility":"flagd"}`),
			flagDocument("constant", 1, `,"targeting":{"fractional":[["on",`+first+`],["on",`+second+`]]}`),
			flagDocument("computed", 1, `,"targeting":{"fractional":[["on",{"var":"a"}],["on",{"var":"b"}]]}`),
		})
		want := "DEFAULT off"
		if works {
			want = "TARGETING_MATCH on"
		}
		wantAnswer(t, r, "constant", `{"targetingKey":"u"}`, want)
		wantAnswer(t, r, "computed", `{"targetingKey":"u","a":`+first+`,"b":`+second+`}`, want)
	}
}
