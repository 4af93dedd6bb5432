package decide

import (
	"cmp"
	"fmt"
	"unicode/utf8"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
)

// Origin says where a command comes from. It is written to the log with the change.
type Origin struct {
	Actor  string // opaque id of who asks
	Reason string // at most changelog.MaxReason bytes
	// Owner says that the command comes from what a read-only environment has its documents from.
	Owner bool
	// Principal is who asks, for policies.
	Principal access.Principal
	// Key makes a command idempotent: repeating it within KeyLifetime with the same key changes nothing again.
	Key string
	// InUse says that the origin wants flags removed although applications use them.
	InUse bool
}

// By returns what records call who asks: the name of all unregistered persons for one who was not identified yet.
func (o Origin) By() string { return cmp.Or(o.Actor, o.Principal.RecordID()) }

// Validate reports why a reason cannot be recorded.
func (o Origin) Validate() error {
	switch {
	case len(o.Reason) > changelog.MaxReason:
		return &Refusal{Cause: CauseMalformed, Detail: fmt.Sprintf("The reason has %d bytes, at most %d are allowed.",
			len(o.Reason), changelog.MaxReason)}
	case !utf8.ValidString(o.Reason):
		return &Refusal{Cause: CauseMalformed, Detail: "The reason is not valid UTF-8: send it as UTF-8."}
	}
	return nil
}
