package decide

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// counting returns whose approvals of a request count now, and why the others do not: their principals are gone, no longer stand, or may
// not approve any more.
func (k *policyCheck) counting(r requests.Request) (approvers, lapsed []string, err error) {
	for _, id := range r.Approvers() {
		why, err := k.lapsed(r, id)
		switch {
		case err != nil:
			return nil, nil, err
		case why != "":
			lapsed = append(lapsed, fmt.Sprintf("that of %s, %s", id, why))
		default:
			approvers = append(approvers, id)
		}
	}
	return approvers, lapsed, nil
}

// lapsed returns why the approval of a principal does not count any more, empty if it does.
func (k *policyCheck) lapsed(r requests.Request, id string) (why string, err error) {
	if k.in.gone(id) { // and may be here again by another id
		return "who was erased", nil
	}
	principal, err := k.in.authorValid(r.Approver(id))
	switch {
	case errors.Is(err, access.ErrRejected):
		return "because " + strings.TrimPrefix(err.Error(), access.ErrRejected.Error()+": "), nil
	case err != nil:
		return "", err
	}
	if !k.about(r, Origin{Principal: principal}).answer(access.Approve).Permitted {
		return "who may not approve it any more", nil
	}
	return "", nil
}
