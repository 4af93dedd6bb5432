package provision

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParse(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		_, err := Parse([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	with := func(members string) string { return `{"release":"flags","namespace":"flagside",` + members + `}` }
	users := `"keys":{"secret":"k"},"users":{"secret":"u"},`
	sidecar := `{"name":"prod","environment":"prod","secret":"s","namespaces":["flagside"]}`

	f(`{"release":"flags","namespace":"flagside"}`, "")
	f(with(users+`"sidecars":[`+sidecar+`]`), "")
	f(with(`"keys":{"secret":"k","existing":true},"users":{"secret":"u","existing":true}`), "")
	f(with(`"authority":{"secret":"c"},"certificates":[{"secret":"t","hosts":["*.shop.example","::1"]}],"natsAuthority":{"secret":"t"}`), "")

	// What is unknown or of another type is refused with its place.
	f(``, "plan: ")
	f(`{`, "plan: ")
	f(`{} {}`, "plan: ")
	f(with(`"sidecar":[]`), "/sidecar: there is no member of that name")
	f(with(`"Keys":{}`), "/Keys: there is no member of that name")
	f(with(users+`"sidecars":[`+sidecar+`,{"nam":"x"}]`), "/sidecars/1/nam: there is no member of that name")
	f(with(`"keys":{"secret":1}`), "/keys/secret: a JSON number cannot stand here")
	f(with(`"certificates":[{"hosts":"x"}]`), "/certificates/0/hosts: a JSON string cannot stand here")
	f(with(`"keys":{"secret":"a","secret":"b"}`), "/keys/secret: duplicate")

	// What cannot be done is refused with its place.
	f(`{"namespace":"flagside"}`, "/release: ")
	f(`{"release":"a b","namespace":"flagside"}`, "/release: ")
	f(`{"release":"flags","namespace":"a/b"}`, "/namespace: ")
	f(with(`"keys":{}`), `/keys/secret: "" is no name of a Secret`)
	f(with(`"adminToken":{"secret":"../x"}`), "/adminToken/secret: ")
	f(with(`"adminToken":{"secret":"a"},"keys":{"secret":"a"}`), "/adminToken/secret: /keys/secret names the Secret")
	f(with(`"certificates":[{"secret":"t","hosts":["a"]}]`), "/certificates: certificates need /authority")
	f(with(`"authority":{"secret":"c"},"certificates":[{"secret":"t","hosts":[]}]`), "/certificates/0/hosts: ")
	f(with(`"authority":{"secret":"c"},"certificates":[{"secret":"t","hosts":["a","b c"]}]`), "/certificates/0/hosts/1: ")
	f(with(`"rootKey":{"secret":"r"}`), "/rootKey: ")
	f(with(`"rootKey":{"secret":"r"},"keys":{"secret":"k","existing":true}`), "/rootKey: ")
	f(with(`"sidecars":[`+sidecar+`]`), "/sidecars: their users")
	f(with(`"keys":{"secret":"k"},"users":{"secret":"u","existing":true},"sidecars":[`+sidecar+`]`), "/sidecars: their users")
	f(with(`"users":{"secret":"u"},"sidecars":[`+sidecar+`]`), "/sidecars: their credentials")
	f(with(users+`"sidecars":[{"name":"a","environment":"A","secret":"s","namespaces":["flagside"]}]`), "/sidecars/0/environment: ")
	f(with(users+`"sidecars":[{"name":"a","environment":"a","secret":"s","namespaces":[]}]`), "/sidecars/0/namespaces: ")
	f(with(users+`"sidecars":[{"name":"a\nb","environment":"a","secret":"s","namespaces":["x"]}]`), "/sidecars/0/name: ")
	f(with(users+`"sidecars":[`+sidecar+`,`+sidecar+`]`), `/sidecars/1/name: there are two sidecars "prod"`)
	f(with(users+`"sidecars":[{"name":"a","environment":"a","secret":"k","namespaces":["flagside"]}]`), "/sidecars/0/secret: /keys/secret names")
	f(with(users+`"sidecars":[{"name":"a","environment":"a","secret":"s","namespaces":["x","x"]}]`), "/sidecars/0/secret: ")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"release":"flags","namespace":"flagside"}`))
	f.Add([]byte(`{"release":"flags","namespace":"flagside","keys":{"secret":"k"},"users":{"secret":"u"},` +
		`"sidecars":[{"name":"prod","environment":"prod","secret":"s","namespaces":["flagside"]}]}`))
	f.Add([]byte(`{"release":"flags","namespace":"a","authority":{"secret":"c"},"certificates":[{"secret":"t","hosts":["*.x","::1"]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		written, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(written)
		if diff := cmp.Diff(p, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// What Secrets hold may be anything.
func FuzzSecretContents(f *testing.F) {
	_, data, err := newAuthority("flags", time.Unix(1_800_000_000, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data["ca.crt"], data["ca.key"])
	f.Add([]byte("x"), []byte("-----BEGIN CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, certificate, key []byte) {
		a, err := parseAuthority(map[string][]byte{"ca.crt": certificate, "ca.key": key})
		if err != nil {
			if len(key) > 40 && strings.Contains(err.Error(), string(key)) {
				t.Errorf("the key is shown: %v", err)
			}
			return
		}
		judge(a.certificate, []string{"localhost"}, time.Unix(1_800_000_000, 0))
	})
}
