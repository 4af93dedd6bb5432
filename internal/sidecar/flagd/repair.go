package flagd

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// contextField is the field of requests that has the evaluation context. Flag keys and everything else have to be well-formed.
const contextField = "context"

// maxRepairDepth is how deep messages are repaired: as deep as strict evaluation contexts are read, whose levels are three messages each.
const maxRepairDepth = 100

// repairBinary returns an encoded request with U+FFFD for what is not UTF-8 in its evaluation context. What it cannot read it copies.
func repairBinary(data []byte, request protoreflect.MessageDescriptor) []byte {
	return appendFields(make([]byte, 0, len(data)), data, request, 0)
}

func appendFields(dst, data []byte, message protoreflect.MessageDescriptor, depth int) []byte {
	for len(data) > 0 {
		number, kind, tag := protowire.ConsumeTag(data)
		if tag < 0 {
			return append(dst, data...)
		}
		length := protowire.ConsumeFieldValue(number, kind, data[tag:])
		if length < 0 {
			return append(dst, data...)
		}
		field := message.Fields().ByNumber(number)
		if kind == protowire.BytesType && isRepaired(field, depth) {
			value, _ := protowire.ConsumeBytes(data[tag:])
			dst = protowire.AppendBytes(append(dst, data[:tag]...), repairValue(value, field, depth))
		} else {
			dst = append(dst, data[:tag+length]...)
		}
		data = data[tag+length:]
	}
	return dst
}

// isRepaired reports whether a field may have text of an evaluation context in it.
func isRepaired(field protoreflect.FieldDescriptor, depth int) bool {
	if field == nil || depth > maxRepairDepth || depth == 0 && field.Name() != contextField {
		return false
	}
	return field.Kind() == protoreflect.StringKind || field.Kind() == protoreflect.MessageKind
}

func repairValue(value []byte, field protoreflect.FieldDescriptor, depth int) []byte {
	if field.Kind() == protoreflect.MessageKind {
		return appendFields(make([]byte, 0, len(value)), value, field.Message(), depth+1)
	}
	return []byte(string([]rune(string(value)))) // every byte that is no character becomes U+FFFD, as in JSON
}

// repairJSON returns a request in JSON with U+FFFD for what is not UTF-8, or half a surrogate pair, in its evaluation context. It is not ok
// if the request is not JSON.
func repairJSON(data []byte) (repaired []byte, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowInvalidUTF8(true))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, false
	}
	copied := int64(0)
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		isContext := name.String() == contextField
		value, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		if !isContext {
			continue
		}
		end := d.InputOffset()
		repaired = append(repaired, data[copied:end-int64(len(value))]...)
		repaired, err = jsontext.AppendFormat(repaired, value,
			jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(false))
		if err != nil {
			return nil, false
		}
		copied = end
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return append(repaired, data[copied:]...), true
}
