package ofrep

import (
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// fields are the header fields that every request is asked for, found in one pass: most requests have none of them, and fasthttp looks for each by
// its name anew.
type fields struct {
	demands      resolver.Headers // without Get
	site, origin []byte
}

// fieldsOf returns the fields of a request, the first of those that come twice, also if it is empty.
func fieldsOf(header *fasthttp.RequestHeader) (f fields) {
	for name, value := range header.All() {
		into := f.of(name)
		if into == nil || *into != nil {
			continue
		}
		if *into = value; value == nil { // which an empty one may be or not
			*into = []byte{}
		}
	}
	return f
}

// of returns where the value of a field belongs, nil if it is not asked for.
func (f *fields) of(name []byte) *[]byte {
	switch string(name) {
	case resolver.HeaderSelector:
		return &f.demands.Selector
	case resolver.HeaderMinRevision:
		return &f.demands.MinRevision
	case resolver.HeaderFreshness:
		return &f.demands.Freshness
	case resolver.HeaderPin:
		return &f.demands.Pin
	case resolver.HeaderPinMode:
		return &f.demands.PinMode
	case resolver.HeaderApplication:
		return &f.demands.Application
	case fetchSite:
		return &f.site
	case fasthttp.HeaderOrigin:
		return &f.origin
	default:
		return nil
	}
}
