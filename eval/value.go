package eval

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// kind is the type of a value. The zero kind is JSON null, which is also what a missing attribute reads as.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
	// kindError is the result of an operation that failed; it ends the evaluation.
	kindError
)

// value is one JSON value during an evaluation. Values are passed by value and never modified.
type value struct {
	kind kind
	num  float64   // the number; 1 for true
	str  string    // the string, or the reason of an error
	ref  *compound // the parts of an array or an object
}

// compound holds the parts of an array or object. names is parallel to items and nil for arrays.
type compound struct {
	items []value
	names []string
}

func boolean(b bool) value {
	if b {
		return value{kind: kindBool, num: 1}
	}
	return value{kind: kindBool}
}

func number(n float64) value { return value{kind: kindNumber, num: n} }

func text(s string) value { return value{kind: kindString, str: s} }

func array(items []value) value { return value{kind: kindArray, ref: &compound{items: items}} }

func failure(reason string) value { return value{kind: kindError, str: reason} }

// items returns the elements of an array, or nil for any other value.
func (v value) items() []value {
	if v.kind != kindArray {
		return nil
	}
	return v.ref.items
}

// member returns the member of an object; the last one wins when a lenient context names it twice.
func (v value) member(name string) value {
	for i, n := range slices.Backward(v.ref.names) {
		if n == name {
			return v.ref.items[i]
		}
	}
	return value{}
}

// truthy is JSONLogic's notion of truth, with empty objects false as in flagd.
func (v value) truthy() bool {
	switch v.kind {
	case kindBool, kindNumber:
		return v.num != 0
	case kindString:
		return v.str != ""
	case kindArray, kindObject:
		return len(v.ref.items) > 0
	default:
		return false
	}
}

// operand converts v for arithmetic: numbers are themselves and strings are parsed (0 if they are no number). Anything else fails.
func (v value) operand() (float64, bool) {
	switch v.kind {
	case kindNumber:
		return v.num, true
	case kindString:
		return parseNumber(v.str), true
	default:
		return 0, false
	}
}

// parseNumber returns the number that s spells, infinity when it is out of range, and 0 if it spells none.
func parseNumber(s string) float64 {
	n, _ := parseText(s)
	return n
}

// parseText returns the number that s spells, infinity when it is out of range. Attributes often hold text that spells none, and for
// them strconv makes an error, which allocates: so it is asked only about text that looks like a number.
func parseText(s string) (n float64, ok bool) {
	if !resemblesNumber(s) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil || math.IsInf(n, 0)
}

// resemblesNumber reports whether s is a decimal number, or may be one of the other forms that strconv reads.
func resemblesNumber(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	if s == "" {
		return false
	}
	switch s[0] | 0x20 {
	case 'i', 'n':
		return strings.EqualFold(s, "inf") || strings.EqualFold(s, "infinity") || strings.EqualFold(s, "nan")
	}
	if len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x' {
		return true
	}
	digits := leadingDigits(s)
	rest := s[digits:]
	if rest != "" && rest[0] == '.' {
		fraction := leadingDigits(rest[1:])
		digits, rest = digits+fraction, rest[1+fraction:]
	}
	return digits > 0 && (rest == "" || isExponent(rest))
}

func isExponent(s string) bool {
	if s[0]|0x20 != 'e' {
		return false
	}
	s = s[1:]
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && leadingDigits(s) == len(s)
}

// leadingDigits returns how many digits s begins with, and underscores, which may separate them.
func leadingDigits(s string) int {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && s[i] != '_' {
			return i
		}
	}
	return len(s)
}

// comparable converts v for ordering and loose equality as JavaScript does: null is 0, blank text is 0, other text that spells no
// number, arrays and objects are NaN.
func (v value) comparable() float64 {
	switch v.kind {
	case kindNull:
		return 0
	case kindBool, kindNumber:
		return v.num
	case kindString:
		return comparableText(v.str)
	default:
		return math.NaN()
	}
}

func comparableText(s string) float64 {
	if strings.TrimSpace(s) == "" {
		return 0
	}
	n, ok := parseText(s)
	if !ok {
		return math.NaN()
	}
	return n
}

// appendText appends v as text for cat and substr. Booleans, arrays and objects have no text.
func (v value) appendText(b []byte) ([]byte, bool) {
	switch v.kind {
	case kindNull:
		return b, true
	case kindString:
		return append(b, v.str...), true
	case kindNumber:
		return strconv.AppendFloat(b, v.num, 'f', -1, 64), true
	default:
		return b, false
	}
}

// looselyEqual is ==: null equals only null, strings compare as strings, everything else as numbers.
func looselyEqual(a, b value) bool {
	if a.kind == kindNull || b.kind == kindNull {
		return a.kind == b.kind
	}
	if a.kind == kindString && b.kind == kindString {
		return a.str == b.str
	}
	return a.comparable() == b.comparable()
}

// strictlyEqual is ===: loose equality of values of one type. Arrays and objects equal nothing.
func strictlyEqual(a, b value) bool {
	return a.kind == b.kind && looselyEqual(a, b)
}

// less is <: strings compare by code point, everything else as numbers.
func less(a, b value) bool {
	if a.kind == kindString && b.kind == kindString {
		return a.str < b.str
	}
	return a.comparable() < b.comparable()
}

// dataAsRule is the reason of the failure where flagd's engine would execute data.
const dataAsRule = "data that looks like a rule is not executed"

// executable reports whether a JSONLogic engine that re-reads results as rules would run v. This package never runs data; where such
// an engine would, it fails instead.
func (v value) executable() bool {
	switch v.kind {
	case kindObject:
		return len(v.ref.items) == 1
	case kindArray:
		return slices.ContainsFunc(v.ref.items, value.executable)
	default:
		return false
	}
}
