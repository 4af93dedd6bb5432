package decide

import (
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// Merge applies a merge patch.
func Merge(target, patch []byte) ([]byte, error) { return merge(target, patch) }

// Bases exposes what a change of documents is bound to.
func Bases(s State, changes []document.Document) []requests.Base {
	return bases(s, Compile(s, changes))
}
