package decide

import (
	"errors"
	"strings"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// mayApply asks whether a request may be applied with the approvals that it has, and returns whose they are.
func (k *policyCheck) mayApply(r requests.Request) ([]string, error) {
	approvers, lapsed, err := k.counting(r)
	if err != nil {
		return nil, err
	}
	k.circumstances.Approvals = len(approvers)
	k.circumstances.BreakGlass = r.Proposal.BreakGlass
	if r.Proposal.BreakGlass {
		if err := k.must(access.BreakGlass); err != nil {
			return nil, err
		}
	}
	err = k.mustApply()
	if refusal, ok := errors.AsType[*Refusal](err); ok && len(lapsed) > 0 {
		refusal.Detail += " Approvals that no longer count: " + strings.Join(lapsed, "; ") + "."
	}
	return approvers, err
}

// mustBreakGlass refuses what its author may not do at once, without approvals: a change request for it would only be left behind.
func (k *policyCheck) mustBreakGlass() error {
	k.circumstances.BreakGlass = true
	if err := k.must(access.BreakGlass); err != nil {
		return err
	}
	return k.mustApply()
}

// mustApply refuses a request that may not be applied. To carry out one's own without approvals is to write at once; and deletions
// are asked for as access.Archive, as everywhere.
func (k *policyCheck) mustApply() error {
	if err := k.must(access.Apply); err != nil {
		return err
	}
	if c := k.circumstances; c.OwnRequest && c.Approvals == 0 {
		if refusal := k.among(puts).refused(access.Change); refusal != nil {
			return refusal
		}
	}
	if refusal := k.among(deletions).refused(access.Archive); refusal != nil {
		return refusal
	}
	return nil
}
