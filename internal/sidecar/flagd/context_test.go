package flagd

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// FuzzContext reads contexts as they arrive and writes them as JSON, which must mean the same.
func FuzzContext(f *testing.F) {
	for _, values := range []map[string]any{
		{}, {"a": 1.5, "b": nil, "c": true, "d": "é\n\"", "e": []any{1.0, "x", map[string]any{"": false}}},
	} {
		s, err := structpb.NewStruct(values)
		if err != nil {
			f.Fatal(err)
		}
		data, err := proto.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := new(structpb.Struct)
		if proto.Unmarshal(data, s) != nil {
			return
		}
		text, err := appendStruct(nil, s)
		if err != nil {
			return
		}
		back, err := structOf(text)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		again, err := appendStruct(nil, back)
		if err != nil || len(again) != len(text) {
			t.Errorf("%s became %s, %v", text, again, err)
		}
	})
}
