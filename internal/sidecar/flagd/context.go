package flagd

import (
	"errors"
	"math"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/types/known/structpb"
)

// errNumber is about numbers that have no JSON form. Protocol Buffers can carry them, evaluation contexts cannot.
var errNumber = errors.New("the context has a number that is NaN or infinite")

// appendStruct appends s as a JSON object, null if it is nil.
func appendStruct(b []byte, s *structpb.Struct) ([]byte, error) {
	if s == nil {
		return append(b, "null"...), nil
	}
	var err error
	b = append(b, '{')
	first := true
	for name, v := range s.GetFields() {
		if !first {
			b = append(b, ',')
		}
		first = false
		b, _ = jsontext.AppendQuote(b, name) // Protocol Buffers have checked that it is UTF-8
		b = append(b, ':')
		if b, err = appendValue(b, v); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

func appendValue(b []byte, v *structpb.Value) ([]byte, error) {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_BoolValue:
		if kind.BoolValue {
			return append(b, "true"...), nil
		}
		return append(b, "false"...), nil
	case *structpb.Value_NumberValue:
		if math.IsNaN(kind.NumberValue) || math.IsInf(kind.NumberValue, 0) {
			return b, errNumber
		}
		return jsontext.AppendFloat(b, kind.NumberValue, 64), nil
	case *structpb.Value_StringValue:
		b, _ = jsontext.AppendQuote(b, kind.StringValue)
		return b, nil
	case *structpb.Value_StructValue:
		return appendStruct(b, kind.StructValue)
	case *structpb.Value_ListValue:
		return appendList(b, kind.ListValue)
	default:
		return append(b, "null"...), nil
	}
}

func appendList(b []byte, list *structpb.ListValue) ([]byte, error) {
	var err error
	b = append(b, '[')
	for i, v := range list.GetValues() {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, v); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// structOf reads a JSON object that this process made.
func structOf(object []byte) (*structpb.Struct, error) {
	s := new(structpb.Struct)
	if err := s.UnmarshalJSON(object); err != nil {
		return nil, err
	}
	return s, nil
}
