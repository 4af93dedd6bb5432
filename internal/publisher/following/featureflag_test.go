package following

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
)

const plainFlag = `"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"`

// specOf is the spec of a FeatureFlag with one flag that has some metadata.
func specOf(metadata string) string {
	return `{"flagSpec":{"flags":{"f":{` + plainFlag + `,"metadata":` + metadata + `}}}}`
}

// What metadata has for a flag becomes its members, and the rest stays.
func TestMetadataBecomesMembers(t *testing.T) {
	t.Parallel()
	for metadata, want := range map[string]string{
		`{"a":1}`:                `{` + plainFlag + `,"metadata":{"a":1}}`,
		`{"flagside.owner":"t"}`: `{` + plainFlag + `,"owner":"t"}`,
		`{"a":1,"flagside.owner":"t","flagside.expires":"2030-01-31"}`:       `{` + plainFlag + `,"owner":"t","expires":"2030-01-31","metadata":{"a":1}}`,
		`{"flagside.tags":["security"]}`:                                     `{` + plainFlag + `,"tags":["security"]}`,
		`{"flagside.tags":"[ \"security\" ]"}`:                               `{` + plainFlag + `,"tags":["security"]}`,
		`{"flagside.freshness":"always_fresh","flagside.maxStaleness":"5s"}`: `{` + plainFlag + `,"freshness":"always_fresh","maxStaleness":"5s"}`,
	} {
		v := versionOf("shop", map[string]kubernetes.Object{"o": {Spec: []byte(specOf(metadata))}}, eval.New())
		if v.Findings.Err() != nil || len(v.Documents) != 1 || string(v.Documents[0].Body) != want {
			t.Errorf("%s: %+v, %v; want %s", metadata, v.Documents, v.Findings, want)
			continue
		}
		if namespace, object := ownership.Object(v.marks[v.Documents[0].ID()]); namespace != "shop" || object != "o" {
			t.Errorf("%s: it belongs to %s/%s", metadata, namespace, object)
		}
	}
}

// What is wrong with an object is told with its name, and which flag it is about.
func TestMistakesOfObjects(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		`{}`:                                       "spec.flagSpec is no object",
		`{"flagSpec":{}}`:                          "spec.flagSpec.flags is no object",
		specOf(`{"flagside.state":"DISABLED"}`):    "metadata.flagside.state",
		specOf(`{"flagside.$source":"x"}`):         "metadata.flagside.$source",
		specOf(`{"flagside.tags":"security"}`):     "metadata.flagside.tags",
		specOf(`{"flagside.owners":"t"}`):          `"owners"`,
		`{"flagSpec":{"flags":{"f":{"state":1}}}}`: `flag "f"`,
	} {
		v := versionOf("shop", map[string]kubernetes.Object{"o": {Spec: []byte(spec)}}, eval.New())
		if err := v.Findings.Err(); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "shop/o: ") {
			t.Errorf("%s: %v, want %s", spec, err, want)
		}
	}
	both := map[string]kubernetes.Object{"a": {Spec: []byte(specOf(`{}`))}, "b": {Spec: []byte(specOf(`{}`))}}
	if err := versionOf("shop", both, eval.New()).Findings.Err(); err == nil || strings.Count(err.Error(), "shop/a and shop/b") != 2 {
		t.Errorf("the same flag in two: %v", err)
	}
}

// Objects in any order are the same version, and another spec is another one.
func TestVersionsOfObjects(t *testing.T) {
	t.Parallel()
	digest := func(names ...string) string {
		all := map[string]kubernetes.Object{}
		for _, name := range names {
			all[name[:1]] = kubernetes.Object{Spec: []byte(`{"flagSpec":{"flags":{"` + name + `":{` + plainFlag + `}}}}`)}
		}
		return versionOf("shop", all, eval.New()).digest
	}
	if digest("a1", "b1") != digest("b1", "a1") || digest("a1") == digest("a2") || digest("a1") == digest("a1", "b1") {
		t.Error("versions are not told apart by what objects say alone")
	}
}

func FuzzFeatureFlag(f *testing.F) {
	f.Add([]byte(specOf(`{"flagside.tags":"[1]","a":1}`)))
	f.Add([]byte(`{"flagSpec":{"$evaluators":{"s":{"==":[1,1]}},"flags":{"f":null,"g":{"metadata":{"flagside.owner":{}}}}}}`))
	f.Add([]byte(`{"flagSpec":[]}`))
	f.Fuzz(func(t *testing.T, spec []byte) {
		if !jsontext.Value(spec).IsValid() { // what the client has not read
			return
		}
		text, err := flagFile(spec)
		if err == nil && !jsontext.Value(text).IsValid() {
			t.Fatalf("%s became %s", spec, text)
		}
		v := versionOf("shop", map[string]kubernetes.Object{"o": {Spec: spec}}, eval.New())
		if v.Findings.Err() != nil {
			return
		}
		for _, d := range v.Documents {
			if d.Kind != document.KindSettings && ownership.Owner(d.Body) != "" {
				t.Errorf("%s says who owns %s", spec, d.ID())
			}
		}
	})
}
