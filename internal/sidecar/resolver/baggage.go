package resolver

import (
	"bytes"

	"github.com/flagside/flagside/sync/changelog"
)

// The members of baggage that name revisions, each as the header of that name.
const (
	baggageMinRevision = "flagside-min-revision"
	baggagePin         = "flagside-pin-revision"
)

// takeBaggage takes over the revisions that baggage names, unless a header names one. What cannot be understood is left out: baggage comes from
// visitors.
func (q *request) takeBaggage(list []byte) {
	for len(list) > 0 {
		var member []byte
		member, list, _ = bytes.Cut(list, []byte(","))
		member, _, _ = bytes.Cut(member, []byte(";")) // properties
		name, value, found := bytes.Cut(member, []byte("="))
		if !found {
			continue
		}
		switch string(bytes.Trim(name, " \t")) {
		case baggageMinRevision:
			if t, ok := baggageToken(value); ok && q.revision == (changelog.Token{}) {
				q.revision, q.lenient = t, true
			}
		case baggagePin:
			if t, ok := baggageToken(value); ok && !q.pin.wanted() {
				q.pin.revision, q.pin.lenient = t, true
			}
		}
	}
}

func baggageToken(value []byte) (changelog.Token, bool) {
	t, err := changelog.ParseToken(string(bytes.Trim(value, " \t")))
	return t, err == nil
}
