package source

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/handwritten"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
)

// Schema is where the JSON Schema of flag files is published.
const Schema = "https://raw.githubusercontent.com/flagside/flagside/main/api/flags.schema.json"

// File returns documents as one flag file, as compact JSON: the metadata, segments by key, flags by key. Owners and the compatibility are left out: they
// are the environment's.
func File(documents []document.Document) []byte {
	sorted := slices.SortedFunc(slices.Values(documents), func(a, b document.Document) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Key, b.Key))
	})
	list := []handwritten.Member{{Name: "$schema", Value: jsontext.Value(`"` + Schema + `"`)}}
	var segments, flags []handwritten.Member
	for _, d := range sorted {
		m := handwritten.Member{Name: d.Key, Value: ownership.Unmarked(d.Body)}
		switch d.Kind {
		case document.KindSettings:
			if metadata := memberOf(d.Body, "metadata"); metadata != nil {
				list = append(list, handwritten.Member{Name: "metadata", Value: metadata})
			}
		case document.KindSegment:
			segments = append(segments, m)
		case document.KindFlag:
			flags = append(flags, m)
		default: // of no file
		}
	}
	if len(segments) > 0 {
		list = append(list, handwritten.Member{Name: "$evaluators", Value: handwritten.Object(segments)})
	}
	return handwritten.Object(append(list, handwritten.Member{Name: "flags", Value: handwritten.Object(flags)}))
}

// Rewrite returns a file so that it says what File returned, with as much of its lines and comments as says that already. It reports false
// of a file of which nothing can be kept.
func Rewrite(name string, content, file []byte) ([]byte, bool) {
	old, err := handwritten.Open(name, content)
	if err != nil {
		return nil, false
	}
	schema := memberOf(old.JSON(), "$schema")
	if schema == nil { // the file has its own mind about it
		list, _ := handwritten.Members(file)
		file = handwritten.Object(slices.DeleteFunc(list, func(m handwritten.Member) bool { return m.Name == "$schema" }))
	} else {
		file = withMember(file, "$schema", schema)
	}
	return handwritten.Rewrite(name, content, file, func(member string) bool {
		return member != "metadata" && member != "$evaluators" && member != "flags"
	})
}
