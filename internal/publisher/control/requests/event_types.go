package requests

// EventTypes returns all types of events, in the order of documents.
func EventTypes() []EventType {
	return []EventType{
		EventOpened, EventRebased, EventCommented, EventApproved, EventRejected, EventWithdrawn, EventExpired, EventClaimed, EventApplied, EventReleased, EventReviewed,
		EventRisk, EventLifecycle, EventSourceVersion, EventRefused, EventUnauthenticated, EventEpochBegun,
		EventArchived, EventRevived, EventAdopted, EventDestroyed, EventRepaired,
		EventFlagActive, EventFlagStale, EventFlagExpiring, EventFlagExpired, EventFlagArchived,
	}
}
