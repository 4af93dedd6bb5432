package gate

import (
	"cmp"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"
)

// The bounds of evaluation contexts, in bytes. What is longer is left out.
const (
	maxAttribute = 1 << 10
	maxContext   = 16 << 10
)

// source is where the value of an attribute comes from.
type source struct {
	place     place
	name      string // of the field, cookie or parameter
	attribute string
	encoded   string // the name of the attribute as JSON
}

type place int

const (
	inHeader place = iota
	inCookie
	inQuery
)

// newSources returns the sources of the options, by attribute.
func newSources(o Options) (all []source) {
	for place, names := range map[place]map[string]string{inHeader: o.Headers, inCookie: o.Cookies, inQuery: o.Queries} {
		for name, attribute := range names {
			all = append(all, source{place, name, attribute, string(appendText(nil, []byte(attribute)))})
		}
	}
	slices.SortFunc(all, func(a, b source) int { return cmp.Compare(a.attribute, b.attribute) })
	return all
}

// value returns the value that a request has; it is empty if there is none.
func (s *source) value(header *fasthttp.RequestHeader, query *fasthttp.Args) []byte {
	switch s.place {
	case inCookie:
		return header.Cookie(s.name)
	case inQuery:
		return query.Peek(s.name)
	default:
		return header.Peek(s.name)
	}
}

// read is what a request says of its visitor.
type read struct {
	context []byte // JSON
	keyed   bool   // there is a targeting key
	refused int    // values that are too long
}

// readContext appends the evaluation context of a request to dst. visitor is the targeting key if no source has one; it may be empty.
func (s *Server) readContext(dst []byte, header *fasthttp.RequestHeader, query *fasthttp.Args) (r read) {
	r.context = append(dst, '{')
	for i := range s.sources {
		one := &s.sources[i]
		value := one.value(header, query)
		if len(value) == 0 {
			continue
		}
		if len(value) > maxAttribute || len(r.context)+len(value) > maxContext {
			r.refused++
			continue
		}
		r.keyed = r.keyed || one.attribute == TargetingKey
		r.context = appendMember(r.context, one.encoded, value)
	}
	return r
}

// close ends the context, to which the targeting key comes if it is not empty.
func (r *read) close(targetingKey []byte) []byte {
	if len(targetingKey) > 0 {
		r.context = appendMember(r.context, `"`+TargetingKey+`"`, targetingKey)
	}
	r.context = append(r.context, '}')
	return r.context
}

func appendMember(dst []byte, name string, value []byte) []byte {
	if len(dst) > 1 {
		dst = append(dst, ',')
	}
	return appendText(append(append(dst, name...), ':'), value)
}

// appendText appends text as a JSON string. Invalid UTF-8 is replaced.
func appendText(dst, text []byte) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}
