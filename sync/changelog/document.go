package changelog

import (
	"encoding/base64"

	"github.com/flagside/flagside/document"
)

// Limits of the log. Whatever exceeds one is refused before it is written.
const (
	MaxEntries = 1000 // entries of one transaction: what JetStream takes as one atomic batch
	MaxReason  = 500  // bytes of a reason
)

// Subject returns the subject token of the entries about id: unpadded base64url of "kind/key", because a key may hold anything, and a token
// no dots, spaces or wildcards.
func Subject(id document.ID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(id.String()))
}
