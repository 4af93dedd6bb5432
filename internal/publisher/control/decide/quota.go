package decide

import (
	"fmt"

	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// withinQuota refuses an event of so many bytes that exceeds what its author may add to the ledger in a day.
func (in DecisionInput) withinQuota(g *requests.Governance, e requests.Event, size int) error {
	before := g.Written(e)
	if in.LedgerBytes == 0 || !e.Type.Counts() || before+size <= in.LedgerBytes {
		return nil
	}
	return &Refusal{
		Cause: CauseTooMany,
		Detail: fmt.Sprintf("You have written %d bytes of change requests and comments today, and this has %d more; at most %d a day are allowed: "+
			"go on tomorrow, or ask an operator to raise --ledger-bytes.", before, size, in.LedgerBytes),
	}
}
