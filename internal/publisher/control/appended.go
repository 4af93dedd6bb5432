package control

import (
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// keptAppended is how many changes of the log are remembered by their op-ids, those of KeyLifetime at most.
const keptAppended = 100_000

// appended are the newest changes of the log, by whichever publisher. The zero value has none.
type appended struct {
	positions map[string]changelog.Position // after the change, by op-id
	order     []appendedAt                  // oldest first
}

type appendedAt struct {
	op string
	at time.Time
}

// add adds the next entry of the log.
func (a *appended) add(r changelog.Record) {
	if a.positions == nil {
		a.positions = make(map[string]changelog.Position)
	}
	if _, known := a.positions[r.OpID]; !known {
		a.order = append(a.order, appendedAt{r.OpID, r.Time})
	}
	a.positions[r.OpID] = r.Position()
	for len(a.order) > keptAppended || time.Since(a.order[0].at) > KeyLifetime && len(a.order) > 1 {
		delete(a.positions, a.order[0].op)
		a.order = a.order[1:]
	}
}
