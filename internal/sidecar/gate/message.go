package gate

import (
	"bytes"
	"slices"

	"github.com/valyala/fasthttp"
	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of the messages of Envoy's external authorization that the gate reads and writes; see api/ext_authz.proto. A message is read where it lies, so that
// nothing is decoded that no flag needs, and no message is too odd to be answered.
const (
	checkAttributes   = 1 // of CheckRequest
	attributesRequest = 4 // of AttributeContext
	requestHTTP       = 2 // of AttributeContext.Request
	httpHeaders       = 3 // of AttributeContext.HttpRequest: a map
	httpPath          = 4
	httpHost          = 5
	httpHeaderMap     = 13 // in place of httpHeaders, if the proxy was told to send bytes as they are
	headerMapHeaders  = 1  // of HeaderMap
	headerKey         = 1  // of HeaderValue
	headerText        = 2
	headerRaw         = 3 // in place of headerText
	responseStatus    = 1 // of CheckResponse: empty is OK
	responseOK        = 3
	okHeaders         = 2 // of OkHttpResponse
	okRemove          = 5
	okResponseHeaders = 6 // for the visitor
	optionHeader      = 1 // of HeaderValueOption
	optionAppend      = 2 // a BoolValue
	optionAction      = 3

	overwriteOrAdd = 2 // a HeaderAppendAction
)

// level is a message in a CheckRequest.
type level int

const (
	inCheck level = iota
	inAttributes
	inRequest
	inHTTP
	inHeaderMap
	inEntry // or an entry of a map, whose fields have the same numbers
)

// checkReader reads a CheckRequest.
type checkReader struct {
	server      *Server
	header      *fasthttp.RequestHeader // of the visitor's request
	target      []byte                  // of the visitor's request
	name, value []byte                  // of the field that is being read
}

// read reads a message at a level, and reports whether it could be read to its end.
func (r *checkReader) read(at level, message []byte) bool {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return false
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return false
		}
		if kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message)
			if !r.field(at, number, value) {
				return false
			}
		}
		message = message[n:]
	}
	return true
}

// field reads a field of a message at a level.
func (r *checkReader) field(at level, number protowire.Number, value []byte) bool {
	switch {
	case at == inCheck && number == checkAttributes:
		return r.read(inAttributes, value)
	case at == inAttributes && number == attributesRequest:
		return r.read(inRequest, value)
	case at == inRequest && number == requestHTTP:
		return r.read(inHTTP, value)
	case at == inHTTP && number == httpHeaderMap:
		return r.read(inHeaderMap, value)
	case at == inHTTP && number == httpHeaders, at == inHeaderMap && number == headerMapHeaders:
		return r.readHeader(value)
	case at == inHTTP && number == httpPath:
		r.target = value
	case at == inHTTP && number == httpHost:
		r.header.SetHostBytes(value)
	case at == inEntry && number == headerKey:
		r.name = value
	case at == inEntry && (number == headerText || number == headerRaw):
		r.value = value
	default: // nothing that flags are evaluated with
	}
	return true
}

// readHeader reads a field of the visitor's request, and keeps it if anything in it can matter.
func (r *checkReader) readHeader(message []byte) bool {
	r.name, r.value = nil, nil
	ok := r.read(inEntry, message)
	if isFlagHeader(r.name) || r.server.wanted(r.name) {
		r.header.AddBytesKV(r.name, r.value)
	}
	return ok
}

// wanted reports whether a field has the value of an attribute, the cookies or the trace.
func (s *Server) wanted(name []byte) bool {
	if bytes.EqualFold(name, []byte("cookie")) || bytes.EqualFold(name, []byte(headerTrace)) {
		return true
	}
	for i := range s.sources {
		if s.sources[i].place == inHeader && bytes.EqualFold(name, []byte(s.sources[i].name)) {
			return true
		}
	}
	return false
}

// appendCheck appends the answer as a CheckResponse. It always says that the request is fine.
func (x *exchange) appendCheck(dst []byte) []byte {
	x.message = x.message[:0]
	for _, f := range x.fields {
		x.appendOption(okHeaders, f.name, x.value(f))
	}
	if len(x.all) > 0 {
		x.appendOption(okHeaders, allHeader, x.all)
	}
	for _, name := range x.remove {
		x.message = protowire.AppendTag(x.message, okRemove, protowire.BytesType)
		x.message = protowire.AppendString(x.message, name)
	}
	if x.cookie != "" {
		x.appendOption(okResponseHeaders, "set-cookie", []byte(x.cookie))
	}
	dst = slices.Grow(dst, len(x.message)+16)
	dst = protowire.AppendTag(dst, responseStatus, protowire.BytesType)
	dst = protowire.AppendBytes(dst, nil)
	return appendBytes(dst, responseOK, x.message)
}

// appendOption appends a HeaderValueOption to the message. Its header takes the place of others of that name, or comes beside them if it is for the
// visitor, whom the application may give cookies too.
func (x *exchange) appendOption(field protowire.Number, name string, value []byte) {
	x.part = protowire.AppendTag(x.part[:0], headerKey, protowire.BytesType)
	x.part = protowire.AppendString(x.part, name)
	x.part = appendBytes(x.part, headerText, value)
	x.option = appendBytes(x.option[:0], optionHeader, x.part)
	if field == okResponseHeaders {
		x.option = appendBytes(x.option, optionAppend, boolTrue[:])
	} else {
		x.option = protowire.AppendTag(x.option, optionAction, protowire.VarintType)
		x.option = protowire.AppendVarint(x.option, overwriteOrAdd)
	}
	x.message = appendBytes(x.message, field, x.option)
}

// boolTrue is the BoolValue true.
var boolTrue = [...]byte{1 << 3, 1}

func appendBytes(dst []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, field, protowire.BytesType), value)
}
