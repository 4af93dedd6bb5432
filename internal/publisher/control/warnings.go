package control

import (
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// warnings returns the slips in the documents of a change request that are tolerated, as the environment is known now. There are none for
// one that has ended without being applied, and none while nothing is known.
func (s *Service) warnings(r requests.Request, compiled *decide.Candidate) eval.Problems {
	switch r.Status {
	case requests.Rejected, requests.Withdrawn, requests.Expired, requests.Failed:
		return nil
	default:
	}
	documents := r.Proposal.Documents()
	if compiled != nil && compiled.Of(documents) {
		return compiled.Warnings
	}
	return s.WarningsOf(documents...)
}

// WarningsOf returns the slips that would be tolerated in documents if they were put now; none while nothing is known.
func (s *Service) WarningsOf(documents ...document.Document) eval.Problems {
	state := s.options.Store.State()
	if state == nil {
		return nil
	}
	return decide.Compile(state, documents).Warnings
}
