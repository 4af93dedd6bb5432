package requests

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
	"github.com/flagside/flagside/sync/changelog"
)

// eventVersion is the schema version of events.
const eventVersion = 1

// EventType says what happened.
type EventType string

// The types of events.
const (
	EventOpened    EventType = "request.opened"
	EventRebased   EventType = "request.rebased"
	EventCommented EventType = "request.commented"
	EventApproved  EventType = "request.approved"
	EventRejected  EventType = "request.rejected"
	EventWithdrawn EventType = "request.withdrawn"
	EventExpired   EventType = "request.expired"
	EventClaimed   EventType = "request.claimed"
	EventApplied   EventType = "request.applied"
	EventReleased  EventType = "request.released"
	EventReviewed  EventType = "request.reviewed"
	// EventEpochBegun tells that a new epoch is about to be written, by whom, why, and what it changes. An EventApplied with the same request id
	// follows when it was.
	EventEpochBegun      EventType = "epoch.begun"
	EventRisk            EventType = "settings.risk"
	EventRefused         EventType = "refused"
	EventUnauthenticated EventType = "unauthenticated"
)

// Event is a record in the ledger of an environment.
type Event struct {
	Version int       `json:"v"`
	Type    EventType `json:"type"`
	By      string    `json:"by,omitzero"` // opaque id of who did it; empty for the publisher itself
	At      time.Time `json:"at"`          // for people and deadlines, never for order
	Request string    `json:"request,omitzero"`
	Text    string    `json:"text,omitzero"` // reason, comment, or what was refused
	// Proposal is what was opened or rebased.
	Proposal *Proposal `json:"proposal,omitzero"`
	// Hash is that of the proposal that was approved or claimed.
	Hash string `json:"hash,omitzero"`
	// Approver is who has approved, as policies knew them.
	Approver *Author `json:"approver,omitzero"`
	// Position is that of the log when it was claimed, and the one after the change when it was applied.
	Position *changelog.Position `json:"position,omitzero"`
	// Approvers are those whose approvals counted when it was claimed.
	Approvers []string `json:"approvers,omitempty"`
	// Outcome is what a released request becomes.
	Outcome Status `json:"outcome,omitzero"`
	// Refusal is what was asked for and not permitted.
	Refusal *RefusedAction `json:"refusal,omitzero"`
	// Count is how many requests were unauthenticated, or how many more were refused, since a time.
	Count uint64    `json:"count,omitzero"`
	Since time.Time `json:"since,omitzero"`
	// Risk is what is risky from now on.
	Risk *risk.Settings `json:"risk,omitzero"`
	// Lifecycle is what holds for flags that grow old from now on, and Flags are those that came to a stage.
	Lifecycle *lifecycle.Policy `json:"lifecycle,omitzero"`
	Flags     []FlagNotice      `json:"flags,omitempty"`
	// Source is the version of a source that was taken up.
	Source *SourceVersion `json:"source,omitzero"`
	// BreakGlass tells that something was done to the environment as a whole without the consent that policies want, and Control is the record
	// of CONTROL that says the same.
	BreakGlass bool             `json:"breakGlass,omitzero"`
	Control    changelog.Anchor `json:"control,omitzero"`

	size int // bytes of the record that it was decoded from
}

// RefusedAction is something that policies did not permit.
type RefusedAction struct {
	Action   access.Action `json:"action"`
	Kind     string        `json:"kind,omitzero"`
	Key      string        `json:"key,omitzero"`
	Policies []string      `json:"policies,omitempty"`
}

// Encode returns the bytes of e.
func (e Event) Encode() ([]byte, error) {
	e.Version = eventVersion
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return data, nil
}

// DecodeEvent decodes the bytes of one event. Unknown and duplicate members are refused; changelog.ErrVersion tells that a newer
// publisher wrote it.
func DecodeEvent(data []byte) (Event, error) {
	var version struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return Event{}, fmt.Errorf("event: %w", err)
	}
	if version.Version != eventVersion {
		return Event{}, fmt.Errorf("event: format %d: %w", version.Version, changelog.ErrVersion)
	}
	var e Event
	if err := json.Unmarshal(data, &e, json.RejectUnknownMembers(true)); err != nil {
		return Event{}, fmt.Errorf("event: %w", err)
	}
	e.size = len(data)
	return e, nil
}
