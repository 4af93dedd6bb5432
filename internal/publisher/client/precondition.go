package client

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/flagside/flagside/sync/changelog"
)

// Precondition is what the author of a change knows of the document: the revision that it has, or that it does not exist. The zero value is
// nothing, which the API refuses for everything that replaces or deletes.
type Precondition struct {
	// Match is sent as If-Match.
	Match changelog.Token
	// Absent is sent as If-None-Match: *.
	Absent bool
}

// Match returns the precondition that a document has a revision, <epoch8>-<revision>, with or without the quotes of an ETag.
func Match(revision string) (Precondition, error) {
	token, err := changelog.ParseToken(strings.Trim(revision, `"`))
	return Precondition{Match: token}, err
}

// Revision returns the revision that the document must have, empty for none.
func (p Precondition) Revision() string {
	if p.Match.Revision == 0 {
		return ""
	}
	return p.Match.String()
}

// etag returns the precondition for changing what was answered: the zero value if the answer has no ETag, as after a deletion.
func etag(header http.Header) Precondition {
	p, err := Match(header.Get("ETag"))
	if err != nil {
		return Precondition{}
	}
	return p
}

func (p Precondition) set(header http.Header) {
	if revision := p.Revision(); revision != "" {
		header.Set("If-Match", strconv.Quote(revision))
	}
	if p.Absent {
		header.Set("If-None-Match", "*")
	}
}
