package eval

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// evaluationCase is one evaluation in a cases.json. Value and Metadata are compared as they are written, numbers included, if present.
type evaluationCase struct {
	Flag      string          `json:"flag"`
	Context   json.RawMessage `json:"context"`
	Now       int64           `json:"now"`
	Reason    Reason          `json:"reason"`
	Variant   *string         `json:"variant"`
	Value     json.RawMessage `json:"value"`
	ErrorCode ErrorCode       `json:"errorCode"`
	Metadata  json.RawMessage `json:"metadata"`
}

// TestCases evaluates every directory of testdata/cases: flags.json is a flag file, cases.json what it has to answer.
func TestCases(t *testing.T) {
	directories, err := os.ReadDir(filepath.Join("testdata", "cases"))
	if err != nil || len(directories) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, directory := range directories {
		t.Run(directory.Name(), func(t *testing.T) {
			var file struct {
				Compatibility Compatibility    `json:"compatibility"`
				Cases         []evaluationCase `json:"cases"`
			}
			if err := json.Unmarshal(readTestdata(t, filepath.Join("cases", directory.Name(), "cases.json")), &file); err != nil {
				t.Fatal(err)
			}
			r := loadFile(t, readTestdata(t, filepath.Join("cases", directory.Name(), "flags.json")), file.Compatibility)
			for i, c := range file.Cases {
				c.check(t, r, i)
			}
		})
	}
}

func (c evaluationCase) check(t *testing.T, r *Ruleset, i int) {
	t.Helper()
	f := r.Flag(c.Flag)
	if f == nil {
		t.Fatalf("case %d: there is no flag %q", i, c.Flag)
	}
	var context Context
	if err := r.DecodeContext(&context, c.Context); err != nil {
		t.Fatalf("case %d: %v", i, err)
	}
	now := testTime
	if c.Now != 0 {
		now = time.Unix(c.Now, 0)
	}
	got := f.Evaluate(&context, now)
	if got.Reason != c.Reason || got.ErrorCode != c.ErrorCode || (got.ErrorCode == "") != (got.Detail == "") {
		t.Errorf("case %d, %s %s: got %s %s %q, want %s %s", i, c.Flag, c.Context, got.Reason, got.ErrorCode, got.Detail, c.Reason, c.ErrorCode)
	}
	c.checkAnswer(t, got, i)
}

func (c evaluationCase) checkAnswer(t *testing.T, got Result, i int) {
	t.Helper()
	if c.Variant != nil && (got.Variant == nil || got.Variant.Name() != *c.Variant) {
		t.Errorf("case %d, %s %s: got variant %v, want %s", i, c.Flag, c.Context, got.Variant, *c.Variant)
	}
	if c.Variant == nil && c.Reason != ReasonTargetingMatch && got.Variant != nil {
		t.Errorf("case %d, %s %s: got variant %s, want none", i, c.Flag, c.Context, got.Variant.Name())
	}
	if c.Value != nil && compactJSON(t, got.Value()) != compactJSON(t, c.Value) {
		t.Errorf("case %d, %s: got %s, want %s", i, c.Flag, got.Value(), c.Value)
	}
	if c.Metadata != nil {
		if diff := cmp.Diff(decodeNumbers(t, c.Metadata), decodeNumbers(t, got.Metadata)); diff != "" {
			t.Errorf("case %d, %s: metadata (-want +got):\n%s", i, c.Flag, diff)
		}
	}
}

// compactJSON returns JSON text without white space, keeping the spelling of numbers.
func compactJSON(t *testing.T, raw []byte) string {
	t.Helper()
	encoded, err := json.Marshal(decodeNumbers(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// decodeNumbers decodes JSON text, keeping the spelling of numbers.
func decodeNumbers(t *testing.T, raw []byte) any {
	t.Helper()
	var v any
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}
