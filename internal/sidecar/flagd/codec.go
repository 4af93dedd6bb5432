package flagd

import (
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// codecs read requests whose evaluation contexts have text that is not UTF-8, which the codecs of connect refuse, and write a message that is
// encoded already as it is.
func codecs() connect.HandlerOption {
	return connect.WithHandlerOptions(
		connect.WithCodec(binaryCodec{}), connect.WithCodec(jsonCodec{"json"}), connect.WithCodec(jsonCodec{"json; charset=utf-8"}))
}

// errNoMessage is about a value that is not a Protocol Buffers message, which no procedure has.
var errNoMessage = errors.New("not a Protocol Buffers message")

// binaryCodec is the encoding of gRPC.
type binaryCodec struct{}

// Name implements connect.Codec.
func (binaryCodec) Name() string { return "proto" }

// Marshal implements connect.Codec.
func (c binaryCodec) Marshal(v any) ([]byte, error) { return c.MarshalAppend(nil, v) }

// MarshalAppend appends the encoded message, which connect uses where a codec has it.
func (binaryCodec) MarshalAppend(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case *message:
		return append(b, v.encoded...), nil
	case proto.Message:
		return proto.MarshalOptions{}.MarshalAppend(b, v)
	default:
		return nil, errNoMessage
	}
}

// Unmarshal implements connect.Codec.
func (binaryCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return errNoMessage
	}
	err := proto.Unmarshal(data, m)
	if err == nil {
		return nil
	}
	if proto.Unmarshal(repairBinary(data, m.ProtoReflect().Descriptor()), m) == nil {
		return nil
	}
	return fmt.Errorf("unmarshal into %T: %w", message, err)
}

// jsonCodec is the encoding of Connect in JSON, under one of its names.
type jsonCodec struct{ name string }

// Name implements connect.Codec.
func (c jsonCodec) Name() string { return c.name }

// Marshal implements connect.Codec.
func (c jsonCodec) Marshal(v any) ([]byte, error) { return c.MarshalAppend(nil, v) }

// MarshalAppend appends the encoded message, which connect uses where a codec has it.
func (jsonCodec) MarshalAppend(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case *message:
		return append(b, v.encoded...), nil
	case proto.Message:
		return protojson.MarshalOptions{}.MarshalAppend(b, v)
	default:
		return nil, errNoMessage
	}
}

// Unmarshal implements connect.Codec. Fields of newer versions of a protocol are ignored.
func (jsonCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return errNoMessage
	}
	options := protojson.UnmarshalOptions{DiscardUnknown: true}
	err := options.Unmarshal(data, m)
	if err == nil {
		return nil
	}
	if repaired, ok := repairJSON(data); ok && options.Unmarshal(repaired, m) == nil {
		return nil
	}
	return fmt.Errorf("unmarshal into %T: %w", message, err)
}
