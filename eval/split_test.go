package eval

import (
	"fmt"
	"testing"

	"github.com/flagside/flagside/document"
)

func TestSplit(t *testing.T) {
	f := func(c Compatibility, rule, want string) {
		t.Helper()
		settings := settingsDocument(fmt.Sprintf(`{"compatibility":%q}`, c))
		r, _ := New().Update([]document.Document{settings, segmentDocument("s", `[["on",1]]`), {
			Kind: document.KindFlag, Key: "f", Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"targeting":` + rule + `}`),
		}})
		shares, seed, ok := r.Flag("f").Split()
		got := ""
		if ok {
			got = "by " + string(seed)
			for _, s := range shares {
				got += fmt.Sprintf(" %s=%d", s.Variant.Name(), s.Weight)
			}
		}
		if got != want {
			t.Errorf("%q %s: got %q, want %q", c, rule, got, want)
		}
	}
	for _, c := range []Compatibility{"", CompatibilityFlagd} {
		f(c, `{"fractional":[["on",30],["off",70]]}`, "by  on=30 off=70")
		f(c, `{"fractional":[["on"],["off",2],["on",null]]}`, "by  on=1 off=2 on=1")
		f(c, `{"fractional":[null,["on",0],["off",-5],["on",3]]}`, "by  on=0 off=0 on=3")
		f(c, `{"fractional":[{"var":"team"},["on",1],["off",1]]}`, `by {"var":"team"} on=1 off=1`)
		f(c, `{"fractional":["same",["on",1],["off",1]]}`, "") // for everybody
		f(c, `{"fractional":[{"a":1,"b":2},["on",1],["off",1]]}`, "")
		f(c, `{"fractional":[5,["on",1],["off",1]]}`, "")
		f(c, `{"fractional":[["on",0.5],["off",0.5]]}`, "")
		f(c, `{"fractional":[["on",0]]}`, "")
		f(c, `{"fractional":[]}`, "")
		f(c, `{"fractional":[["on",{"var":"n"}],["off",1]]}`, "")
		f(c, `{"fractional":[[{"var":"v"},1],["off",1]]}`, "")
		f(c, `{"fractional":[["gone",1],["off",1]]}`, "")
		f(c, `{"fractional":[[true,1],["off",1]]}`, "")
		f(c, `{"fractional":{"$ref":"s"}}`, "")
		f(c, `{"fractional":[["on",1]],"fractional":[["off",1]]}`, "")
		f(c, `{"if":[true,{"fractional":[["on",1]]}]}`, "")
		f(c, `"on"`, "")
		f(c, `{}`, "")
	}
}
