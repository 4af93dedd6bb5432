package manifest

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/eval"
)

// Type is the type of a flag in a manifest.
type Type string

// The types.
const (
	Boolean Type = "boolean"
	String  Type = "string"
	Integer Type = "integer"
	Float   Type = "float"
	Object  Type = "object"
)

// maxInteger is the largest integer that OpenFeature's command line reads without losing digits, and -maxInteger the smallest.
const maxInteger = 1<<53 - 1

// nothing returns the value that stands for none.
func (t Type) nothing() jsontext.Value {
	return jsontext.Value(map[Type]string{Boolean: "false", String: `""`, Integer: "0", Float: "0.0", Object: "{}"}[t])
}

// typeOf returns the type that all variants have. Numbers are integers if all of them are written as such: 1.0 is none.
func typeOf(variants []*eval.Variant) (Type, error) {
	if len(variants) == 0 {
		return "", errors.New("has no variants")
	}
	var common Type
	for _, v := range variants {
		switch t := typeOfValue(v.Encoded()); {
		case t == "":
			return "", errors.New("has a variant that is null or a list")
		case common == "" || common == t:
			common = t
		case common.numeric() && t.numeric():
			common = Float
		default:
			return "", errors.New("has variants of several types")
		}
	}
	return common, nil
}

func (t Type) numeric() bool { return t == Integer || t == Float }

// typeOfValue returns the type of a value, empty for null and lists.
func typeOfValue(v jsontext.Value) Type {
	switch v.Kind() {
	case 't', 'f':
		return Boolean
	case '"':
		return String
	case '{':
		return Object
	case '0':
		if bytes.ContainsAny(v, ".eE") {
			return Float
		}
		return Integer
	default:
		return ""
	}
}

// written returns a value as a document holds it for a flag of the type: a whole number says in its spelling that it is a float. It fails if the
// value is of another type.
func (t Type) written(v jsontext.Value) (jsontext.Value, error) {
	has := typeOfValue(v)
	if t == Float && has == Integer {
		return append(v.Clone(), ".0"...), nil
	}
	if has != t {
		return nil, errors.New("the default value is not of the type " + string(t))
	}
	return v, nil
}

// same reports whether two values of one type are equal.
func same(a, b jsontext.Value) bool {
	if typeOfValue(a) == Integer && typeOfValue(b) == Integer {
		return bytes.Equal(a, b)
	}
	a, b = a.Clone(), b.Clone()
	return a.Canonicalize() == nil && b.Canonicalize() == nil && bytes.Equal(a, b)
}

// exact reports whether a number keeps its digits when it is read as a 64-bit floating-point number.
func exact(v jsontext.Value) bool {
	if typeOfValue(v) != Integer {
		return true
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	return err == nil && -maxInteger <= n && n <= maxInteger
}
