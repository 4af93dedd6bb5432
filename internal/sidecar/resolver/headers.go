package resolver

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// The request headers by which an application selects flags and demands more than they do.
const (
	// HeaderSelector narrows a request to a flag set; see [Selector].
	HeaderSelector = "Flagd-Selector"
	// HeaderMinRevision names the revision that the answer must rest on at least, as the publisher gave it.
	HeaderMinRevision = "Flagside-Min-Revision"
	// HeaderFreshness asks for a read strategy; the only one there is to ask for is always_fresh.
	HeaderFreshness = "Flagside-Freshness"
	// HeaderPin names the revision that the answer must rest on, as another answer of the same request of a visitor named it: no newer one either.
	HeaderPin = "Flagside-Pin-Revision"
	// HeaderPinMode says what becomes of a request that is pinned to a revision that is not kept: "strict" refuses it, without it is answered
	// from the newest.
	HeaderPinMode = "Flagside-Pin-Mode"
	// HeaderRevision is that of an answer with the revision that it rests on.
	HeaderRevision = "Flagside-Revision"
	// headerBaggage is where callers pass on what concerns the whole request of a visitor, https://www.w3.org/TR/baggage/.
	headerBaggage = "Baggage"
	// HeaderApplication names the application that asks, where several share a sidecar; its evaluations are counted under that name.
	HeaderApplication = "Flagside-Application"
)

// Headers are what a request says beside its evaluation context. The zero value selects every flag and demands nothing. The values are
// the caller's and have to stay as they are until the request ends.
type Headers struct {
	// Selector, MinRevision, Freshness, Pin, PinMode and Application are the values of the headers of that name, empty if there is none.
	Selector, MinRevision, Freshness, Pin, PinMode, Application []byte
	// Get returns the value of any other header, empty if there is none. Nil is a request without other headers.
	Get func(name string) []byte
	// Until is when the request stops to wait for fresher knowledge, in nanoseconds since 1970, if that is sooner than the deadline of the resolver; 0
	// leaves it to that. It is no time.Time, whose pointer to a location would let Get escape.
	Until int64
}

// HeadersOf returns what h says.
func HeadersOf(h http.Header) Headers { return headersOf(fields(h).get) }

// headersOf is apart from HeadersOf so that callers have that inlined, which saves them an allocation.
func headersOf(get func(name string) []byte) Headers {
	return Headers{
		Selector: get(HeaderSelector), MinRevision: get(HeaderMinRevision), Freshness: get(HeaderFreshness),
		Pin: get(HeaderPin), PinMode: get(HeaderPinMode), Application: get(HeaderApplication), Get: get,
	}
}

// fields are the header fields of a request.
type fields http.Header

func (f fields) get(name string) []byte { return []byte(http.Header(f).Get(name)) }

// ErrRequirement says that a request demands a revision or a freshness that does not exist.
var ErrRequirement = errors.New("the required freshness cannot be understood")

// pinStrict is the only value of HeaderPinMode.
const pinStrict = "strict"

// parseRequirement reads the values of the two headers. Empty values require nothing.
func parseRequirement(revision, freshness []byte) (changelog.Token, eval.Freshness, error) {
	var token changelog.Token
	if len(revision) > 0 {
		var err error
		if token, err = changelog.ParseToken(string(revision)); err != nil {
			return changelog.Token{}, "", fmt.Errorf("%w: %s: %w", ErrRequirement, HeaderMinRevision, err)
		}
	}
	switch {
	case len(freshness) == 0:
		return token, "", nil
	case string(freshness) == string(eval.FreshnessAlwaysFresh):
		return token, eval.FreshnessAlwaysFresh, nil
	default:
		return changelog.Token{}, "", fmt.Errorf("%w: %s: the only value is %s", ErrRequirement, HeaderFreshness, eval.FreshnessAlwaysFresh)
	}
}
