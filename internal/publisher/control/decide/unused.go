package decide

import (
	"fmt"

	"github.com/flagside/flagside/document"
)

// Unused refuses a Delete or an Archive that removes flags which applications use, unless its origin knows that they do. Other commands remove
// what is not wanted any more, and change requests are for others to approve: for them it is a risk.
func Unused(in DecisionInput, c Command, d Decision) error {
	if refusal := unused(in, c, d); refusal != nil {
		return refusal
	}
	return nil
}

func unused(in DecisionInput, c Command, d Decision) *Refusal {
	switch c.(type) {
	case Delete, Archive:
	default:
		return nil
	}
	if in.Usage == nil || in.Origin.InUse || d.Candidate == nil {
		return nil
	}
	for _, one := range d.Candidate.Documents {
		if one.Kind != document.KindFlag || one.Body != nil {
			continue
		}
		if use := in.Usage(one.Key); use.InUse {
			return &Refusal{
				Cause: CauseInUse,
				Detail: fmt.Sprintf("Flag %q is in use: %s. Remove it from their code first, or say that it is to go all the same: "+
					"flagside --in-use, header Flagside-In-Use.", one.Key, use.Clause()),
			}
		}
	}
	return nil
}
