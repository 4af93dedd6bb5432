package audit

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Difference is a field of a document that changed.
type Difference struct {
	// Field is its JSON pointer (RFC 6901); "" is the whole document.
	Field string `json:"field"`
	// Before and After are JSON values; nil is absent.
	Before jsontext.Value `json:"before,omitzero"`
	After  jsontext.Value `json:"after,omitzero"`
}

// differences returns the fields in which two documents differ, in order. Lists that differ are shown as a whole when their length differs,
// because what moved in them cannot be told.
func differences(before, after []byte) []Difference {
	if bytes.Equal(before, after) {
		return nil
	}
	if before == nil || after == nil {
		return []Difference{{Before: before, After: after}}
	}
	return compare("", before, after, nil)
}

// sameDifferences reports whether two lists say the same, however their values are spelled.
func sameDifferences(a, b []Difference) bool {
	if slices.EqualFunc(a, b, func(x, y Difference) bool {
		return x.Field == y.Field && bytes.Equal(x.Before, y.Before) && bytes.Equal(x.After, y.After)
	}) {
		return true
	}
	one, err := json.Marshal(a, jsontext.Multiline(false)) // as lines are written
	if err != nil {
		return false
	}
	other, err := json.Marshal(b, jsontext.Multiline(false))
	return err == nil && bytes.Equal(one, other)
}

func compare(field string, before, after jsontext.Value, found []Difference) []Difference {
	if bytes.Equal(before, after) {
		return found
	}
	switch {
	case before.Kind() == '{' && after.Kind() == '{':
		return compareObjects(field, before, after, found)
	case before.Kind() == '[' && after.Kind() == '[':
		return compareLists(field, before, after, found)
	default:
		return append(found, Difference{Field: field, Before: before, After: after})
	}
}

func compareObjects(field string, before, after jsontext.Value, found []Difference) []Difference {
	var was, is map[string]jsontext.Value
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(after, &is) != nil {
		return append(found, Difference{Field: field, Before: before, After: after})
	}
	names := slices.Collect(maps.Keys(was))
	for name := range is {
		if _, known := was[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		pointer := field + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		a, had := was[name]
		b, has := is[name]
		if had && has {
			found = compare(pointer, a, b, found)
		} else {
			found = append(found, Difference{Field: pointer, Before: a, After: b})
		}
	}
	return found
}

func compareLists(field string, before, after jsontext.Value, found []Difference) []Difference {
	var was, is []jsontext.Value
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(after, &is) != nil || len(was) != len(is) {
		return append(found, Difference{Field: field, Before: before, After: after})
	}
	for i := range was {
		found = compare(field+"/"+strconv.Itoa(i), was[i], is[i], found)
	}
	return found
}
