package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzDecodeContext compares decoding into slots with two other decoders: strictly jsontext, which may replace what is not UTF-8, decides what is refused, with flagd
// encoding/json does. Every attribute must read as in the value that encoding/json makes.
func FuzzDecodeContext(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":{"c":"x","d":[1,{"e":null}]}}`, `{"a":"\u00e9\n","b":[[1],2]}`, `{"a":1,"a":2}`, `{"b":{"c":1},"b":5}`, `{"a":1e400}`, `{"x":{"y":1e400}}`,
		`null`, ``, `[]`, `{} {}`, `{"$flagd":1,"b":{"d":[0,{"e":true}]}}`, "{\"a\":\"\xff\"}", `{"b":{"d":{"0":1}}}`, "{\"a\":1}\x00", `{"a":-0}`,
		`{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"a":"\ud83d\ude00"}`, `{"a":123456789012345678}`, `{"a":-1.5E+3,"b":0.1e-7}`, `{"a":01}`, `{"a":1.}`,
		`{"a":tru}`, `{"a":1,}`, `{,}`, `{"a":[1,]}`, `{"\u0061":1,"a":2}`, `{"b":{"c":1,"d":2,"c":3}}`, "{\"\xff\":1,\"\xfe\":2}", `{"a":"\x"}`, "{\"a\":\"\x01\"}",
		`{"u":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
		manyMembers(70, ""), manyMembers(70, `,"m3":1`), `{"u":` + manyMembers(70, `,"m69":1`) + `}`, `{"b":` + manyMembers(70, `,"m3":9`) + `}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	paths := [][]string{{"a"}, {"b"}, {"b", "c"}, {"b", "d"}, {"b", "d", "1", "e"}, {"b", "d", "0"}, {"c", "c"}}
	f.Fuzz(func(t *testing.T, data []byte, flagd bool) {
		r := New()
		if flagd {
			r = apply(t, r, settingsDocument(`{"compatibility":"flagd"}`))
		}
		r.attributes = newAttributeTable()
		for _, path := range paths {
			r.attributes.add(path)
		}
		var c Context
		err := r.DecodeContext(&c, data)
		if want := refuses(data, flagd); (err == nil) == want {
			t.Fatalf("got %v, refused: %v", err, want)
		}
		if err != nil {
			return
		}
		var decoded any
		_ = json.NewDecoder(bytes.NewReader(data)).Decode(&decoded)
		object, _ := decoded.(map[string]any)
		delete(object, flagdProperties)
		c.flag = new(Flag)
		whole := c.whole()
		for _, path := range paths {
			want := unbounded().walk(valueOf(object), path)
			if got := c.slot(r.attributes.lookup(path)); !sameValue(got, want) {
				t.Errorf("%v: slot %s, want %s", path, appendValue(nil, got), appendValue(nil, want))
			}
			if got := unbounded().walk(whole, path); !sameValue(got, want) {
				t.Errorf("%v: whole %s, want %s", path, appendValue(nil, got), appendValue(nil, want))
			}
		}
	})
}

// manyMembers returns an object with n members m0, m1 and so on, and more.
func manyMembers(n int, more string) string {
	members := make(map[string]int)
	for i := range n {
		members["m"+string(appendNumber(nil, float64(i)))] = i
	}
	encoded, _ := json.Marshal(members)
	return string(encoded[:len(encoded)-1]) + more + "}"
}

// refuses says whether another decoder refuses a context.
func refuses(data []byte, flagd bool) bool {
	if len(bytes.Trim(data, " \t\r\n")) == 0 {
		return false
	}
	if flagd {
		var decoded any
		return json.NewDecoder(bytes.NewReader(data)).Decode(&decoded) != nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowInvalidUTF8(true))
	if k := d.PeekKind(); k != '{' && k != 'n' {
		return true
	}
	for {
		token, err := d.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return false
		case err != nil, d.StackDepth() > maxContextDepth:
			return true
		case token.Kind() == '0':
			var n float64
			if json.Unmarshal([]byte(token.String()), &n) != nil {
				return true
			}
		}
		if d.StackDepth() == 0 {
			_, err := d.ReadToken()
			return !errors.Is(err, io.EOF)
		}
	}
}

// valueOf turns what encoding/json decodes into a value.
func valueOf(v any) value {
	switch v := v.(type) {
	case bool:
		return boolean(v)
	case float64:
		return number(v)
	case string:
		return text(v)
	case []any:
		parts := &compound{}
		for _, item := range v {
			parts.items = append(parts.items, valueOf(item))
		}
		return value{kind: kindArray, ref: parts}
	case map[string]any:
		parts := &compound{}
		for name, item := range v {
			parts.names, parts.items = append(parts.names, name), append(parts.items, valueOf(item))
		}
		return value{kind: kindObject, ref: parts}
	default:
		return value{}
	}
}

func sameValue(a, b value) bool {
	return a.kind == b.kind && string(appendValue(nil, a)) == string(appendValue(nil, b))
}
