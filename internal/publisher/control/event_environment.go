package control

import (
	"context"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// The types of events about an environment as a whole. They change nothing about its change requests.
const (
	EventAdopted  EventType = "environment.adopted"
	EventArchived EventType = "environment.archived"
	EventRevived  EventType = "environment.revived"
	// EventDestroyed is that of an environment whose documents are deleted for good.
	EventDestroyed EventType = "environment.destroyed"
	// EventRepaired is that of a repair of the ledger. The ledger itself knows it, and has it in another form: Encode is not for it.
	EventRepaired EventType = changelog.RecordRepaired
)

// onEnvironment reports whether events of the type are about an environment as a whole.
func (t EventType) onEnvironment() bool {
	return t == EventAdopted || t == EventArchived || t == EventRevived || t == EventDestroyed
}

// NoteAdministration records something that was done to the environment as a whole and stands in CONTROL at Control already. It reports
// whether the ledger has it now.
func (s *Service) NoteAdministration(ctx context.Context, e Event) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
	defer cancel()
	e.At = time.Now().UTC()
	return s.recordAnyway(ctx, e)
}

// repairEvent returns a repair of a ledger as an event.
func repairEvent(body []byte) (Event, error) {
	r, err := changelog.DecodeJournalRepair(body)
	return Event{Type: EventRepaired, By: r.Actor, At: r.Time, Text: r.Reason, BreakGlass: r.BreakGlass}, err
}
