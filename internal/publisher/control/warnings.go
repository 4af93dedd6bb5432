package control

import (
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

// warnings returns the slips in the documents of a change request that are tolerated, as the environment is known now. There are none for
// one that has ended without being applied, and none while nothing is known.
func (s *Service) warnings(r Request, compiled *Candidate) eval.Problems {
	switch r.Status {
	case Rejected, Withdrawn, Expired, Failed:
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
	return Compile(state, documents).Warnings
}
