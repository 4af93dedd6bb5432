package eval

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// sharedVectors is where the vectors stand that are not part of the project.
const sharedVectors = "../../shared/vectors"

// readVectors returns a file of vectors, and skips the test if it is not there.
func readVectors(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sharedVectors, name))
	if err != nil {
		t.Skipf("the vectors %s are not beside the project", name)
	}
	return data
}

type fractionalCase struct {
	ID      string          `json:"id"`
	FlagKey string          `json:"flagKey"`
	Context json.RawMessage `json:"context"`
	Expect  struct {
		Status  int             `json:"status"`
		Reason  Reason          `json:"reason"`
		Variant string          `json:"variant"`
		Value   json.RawMessage `json:"value"`
	} `json:"expect"`
	Trace struct {
		Input string `json:"input"`
		Hash  uint32 `json:"hash"`
	} `json:"trace"`
}

func TestFractionalVectors(t *testing.T) {
	for name, read := range map[string]func(string) []byte{
		"own":    func(name string) []byte { return readTestdata(t, filepath.Join("fractional", name)) },
		"shared": func(name string) []byte { return readVectors(t, "fractional-"+name) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "shared" {
				readVectors(t, "fractional-flags.json")
			}
			r := loadFile(t, read("flags.json"), "")
			var cases []fractionalCase
			if err := json.Unmarshal(read("cases.json"), &cases); err != nil {
				t.Fatal(err)
			}
			if len(cases) == 0 {
				t.Fatal("there are no cases")
			}
			for _, c := range cases {
				checkFractional(t, r, c)
			}
		})
	}
}

func checkFractional(t *testing.T, r *Ruleset, c fractionalCase) {
	t.Helper()
	got := evaluate(t, r, c.FlagKey, c.Context)
	variant := ""
	if got.Variant != nil {
		variant = got.Variant.Name()
	}
	if variant != c.Expect.Variant || got.Reason != c.Expect.Reason || string(got.Value()) != string(c.Expect.Value) {
		t.Errorf("%s: got %s %q %s, want %+v", c.ID, got.Reason, variant, got.Value(), c.Expect)
	}
	if c.Trace.Input == "" {
		return
	}
	if hash := hashInput(c.Trace.Input); hash != c.Trace.Hash {
		t.Errorf("%s: hash of %q is %d, want %d", c.ID, c.Trace.Input, hash, c.Trace.Hash)
	}
}

func TestOfficialVectors(t *testing.T) {
	for name, read := range map[string]func(*testing.T) []byte{
		"own":    func(t *testing.T) []byte { t.Helper(); return readTestdata(t, "jsonlogic.json") },
		"shared": func(t *testing.T) []byte { t.Helper(); return readVectors(t, "jsonlogic-official.json") },
	} {
		t.Run(name, func(t *testing.T) {
			var cases []logicCase
			if err := json.Unmarshal(read(t), &cases); err != nil {
				t.Fatal(err)
			}
			if len(cases) == 0 {
				t.Fatal("there are no cases")
			}
			for _, c := range cases {
				c.check(t)
			}
		})
	}
}

// logicCase is one rule applied to any data.
type logicCase struct {
	Description string          `json:"description"`
	Rule        json.RawMessage `json:"rule"`
	Data        json.RawMessage `json:"data"`
	Result      json.RawMessage `json:"result"`
	Error       bool            `json:"error"`
}

// check evaluates the rule twice if it can: with the data as an element, the way rules inside iterations run, and as a context.
func (c logicCase) check(t *testing.T) {
	t.Helper()
	if c.Data == nil {
		c.Data = json.RawMessage("null")
	}
	c.compare(t, "as element", applyToElement(t, c.Rule, c.Data))
	if c.Data[0] == '{' || string(c.Data) == "null" {
		c.compare(t, "as context", applyToContext(t, c.Rule, c.Data))
	}
}

func (c logicCase) compare(t *testing.T, how string, got value) {
	t.Helper()
	if got.kind == kindError || c.Error {
		if (got.kind == kindError) != c.Error {
			t.Errorf("%s, %s: error %q, want error: %v", c.Description, how, got.str, c.Error)
		}
		return
	}
	if want := jsonOf(t, c.Result); string(appendValue(nil, got)) != want {
		t.Errorf("%s, %s: got %s, want %s", c.Description, how, appendValue(nil, got), want)
	}
}

// jsonOf returns JSON text in the form of appendValue.
func jsonOf(t *testing.T, raw []byte) string {
	t.Helper()
	p, err := parseSyntax(raw, false)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return string(appendValue(nil, p.root.value()))
}

func compileForTest(t *testing.T, rule []byte, in scope) (node, *attributeTable) {
	t.Helper()
	p, err := parseSyntax(rule, false)
	if err != nil {
		t.Fatalf("%s: %v", rule, err)
	}
	c := &ruleCompiler{
		limit:      DefaultMaxWork,
		attributes: &attributeWriter{table: newAttributeTable()},
		report:     func(*syntax, Problem) {},
		segment:    func(string) *segment { return nil },
	}
	n := c.compile(&p.root, in)
	return n, c.attributes.table
}

func applyToElement(t *testing.T, rule, data []byte) value {
	t.Helper()
	n, _ := compileForTest(t, rule, scope{depth: 1})
	p, err := parseSyntax(data, false)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return n.eval(&Context{scopes: []value{p.root.value()}, flag: &Flag{}, left: DefaultMaxWork})
}

func applyToContext(t *testing.T, rule, data []byte) value {
	t.Helper()
	n, table := compileForTest(t, rule, scope{})
	var c Context
	if err := (&Ruleset{attributes: table}).DecodeContext(&c, data); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	c.flag, c.left = &Flag{key: "flag", salt: "flag"}, DefaultMaxWork
	return n.eval(&c)
}

func readTestdata(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// loadFile returns the Ruleset of a flag file, all of whose documents have revision 1.
func loadFile(t testing.TB, data []byte, c Compatibility) *Ruleset {
	t.Helper()
	documents, problems := ParseFile(data, c)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	for i := range documents {
		documents[i].Revision = 1
	}
	r, problems := New().Update(documents)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return r
}

// testTime is the time of all evaluations in tests that do not say otherwise.
var testTime = time.Unix(1_700_000_000, 0)

func evaluate(t testing.TB, r *Ruleset, key string, context []byte) Result {
	t.Helper()
	f := r.Flag(key)
	if f == nil {
		t.Fatalf("there is no flag %q", key)
	}
	var c Context
	if err := r.DecodeContext(&c, context); err != nil {
		t.Fatalf("context %s: %v", context, err)
	}
	return f.Evaluate(&c, testTime)
}
