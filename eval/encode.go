package eval

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // It fails only for invalid UTF-8, which it replaces.
	return b
}

// encodeValue returns s as compact JSON, which may be a part of the source. Numbers keep their text, except with CompatibilityFlagd, where they are what flagd makes of
// them: 64-bit floating-point numbers.
func encodeValue(s *syntax, source []byte, c Compatibility) []byte {
	if c != CompatibilityFlagd {
		if raw := s.raw(source); s.kind != kindArray && s.kind != kindObject && utf8.Valid(raw) {
			return slices.Clip(raw)
		}
		raw := jsontext.Value(slices.Clone(s.raw(source)))
		if raw.Compact(jsontext.AllowInvalidUTF8(true)) == nil {
			return raw
		}
	}
	return appendValue(nil, s.value())
}

// appendValue appends v as JSON the way encoding/json does: members in order of their names, the last of duplicate names only.
func appendValue(b []byte, v value) []byte {
	switch v.kind {
	case kindBool:
		return strconv.AppendBool(b, v.num != 0)
	case kindNumber:
		return appendNumber(b, v.num)
	case kindString:
		return appendString(b, v.str)
	case kindArray:
		b = append(b, '[')
		for i, item := range v.ref.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, item)
		}
		return append(b, ']')
	case kindObject:
		return appendObject(b, v)
	default:
		return append(b, "null"...)
	}
}

func appendObject(b []byte, v value) []byte {
	names := v.ref.names
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return strings.Compare(names[i], names[j]) })
	b = append(b, '{')
	first := true
	for at, i := range order {
		if at+1 < len(order) && names[order[at+1]] == names[i] {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, names[i])
		b = append(b, ':')
		b = appendValue(b, v.ref.items[i])
	}
	return append(b, '}')
}

// appendNumber appends n in the shortest form that reads back as n, with an exponent where encoding/json uses one.
func appendNumber(b []byte, n float64) []byte {
	return jsontext.AppendFloat(b, n, 64)
}

// finite reports whether all numbers in v can be written as JSON.
func finite(v value) bool {
	switch v.kind {
	case kindNumber:
		return !math.IsNaN(v.num) && !math.IsInf(v.num, 0)
	case kindArray, kindObject:
		return !slices.ContainsFunc(v.ref.items, func(item value) bool { return !finite(item) })
	default:
		return true
	}
}
