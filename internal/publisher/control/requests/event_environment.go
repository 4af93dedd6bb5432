package requests

import (
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
