package control

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// eventVersion is the schema version of events.
const eventVersion = 1

// EventType says what happened.
type EventType string

// The types of events.
const (
	EventOpened          EventType = "request.opened"
	EventRebased         EventType = "request.rebased"
	EventCommented       EventType = "request.commented"
	EventApproved        EventType = "request.approved"
	EventRejected        EventType = "request.rejected"
	EventWithdrawn       EventType = "request.withdrawn"
	EventExpired         EventType = "request.expired"
	EventClaimed         EventType = "request.claimed"
	EventApplied         EventType = "request.applied"
	EventReleased        EventType = "request.released"
	EventReviewed        EventType = "request.reviewed"
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
	Outcome RequestStatus `json:"outcome,omitzero"`
	// Refusal is what a caller asked for in vain.
	Refusal *RefusedAction `json:"refusal,omitzero"`
	// Count is how many requests no one was authenticated for, or how many more were refused, since a time.
	Count uint64    `json:"count,omitzero"`
	Since time.Time `json:"since,omitzero"`
	// Risk is what is risky from now on.
	Risk *RiskSettings `json:"risk,omitzero"`
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

// eventOf returns the event that a record of the ledger holds, false if the record is about the ledger itself.
func eventOf(r writer.Record) (e Event, ok bool, err error) {
	switch changelog.RecordType(r.Body) {
	case changelog.RecordKeys, changelog.RecordRepaired:
		return Event{}, false, nil
	}
	e, err = DecodeEvent(r.Body)
	return e, err == nil, err
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
		return Event{}, fmt.Errorf("event: %w: %d", changelog.ErrVersion, version.Version)
	}
	var e Event
	if err := json.Unmarshal(data, &e, json.RejectUnknownMembers(true)); err != nil {
		return Event{}, fmt.Errorf("event: %w", err)
	}
	e.size = len(data)
	return e, nil
}

// Proposal is what a change request wants to do. Approvals are for exactly one proposal, which its hash names.
type Proposal struct {
	Changes []DocumentChange `json:"changes"`
	// Epoch and Bases are what the changes were made from.
	Epoch changelog.Epoch `json:"epoch"`
	Bases []Base          `json:"bases"`
	// ApplyAt is when it is to be applied; zero is when someone asks for it.
	ApplyAt time.Time `json:"applyAt,omitzero"`
	// LateSeconds is how long after ApplyAt it may still be applied; zero is any time.
	LateSeconds int64 `json:"lateSeconds,omitzero"`
	// Expires is when it is given up unless it was applied.
	Expires time.Time `json:"expires"`
	// BreakGlass tells that it goes without approvals, and is reviewed afterwards.
	BreakGlass bool `json:"breakGlass,omitzero"`
	// Risk and Needed are the risk and the approvals that policy asked for when it was made; both are computed again when it is applied.
	Risk   RiskRecord `json:"risk"`
	Needed int        `json:"needed,omitzero"`
	Author Author     `json:"author"`
	// Command tells apart what was proposed, for idempotency keys.
	Command string `json:"command,omitzero"`
	// Restores tells what is restored; nil for any other change.
	Restores *Restoration `json:"restores,omitzero"`
}

// DocumentChange is one document to be put, or deleted when Body is nil.
type DocumentChange struct {
	Kind document.Kind  `json:"kind"`
	Key  string         `json:"key"`
	Body jsontext.Value `json:"body,omitzero"`
}

func changesOf(documents []document.Document) []DocumentChange {
	changes := make([]DocumentChange, 0, len(documents))
	for _, d := range documents {
		changes = append(changes, DocumentChange{Kind: d.Kind, Key: d.Key, Body: d.Body})
	}
	return changes
}

// RiskRecord is an access.Risk as it is recorded.
type RiskRecord struct {
	High       bool                `json:"high"`
	Reasons    []access.RiskReason `json:"reasons,omitempty"`
	ShareKnown bool                `json:"shareKnown,omitzero"`
	Share      float64             `json:"share,omitzero"`
	Dependants int                 `json:"dependants,omitzero"`
	UsageKnown bool                `json:"usageKnown,omitzero"`
	InUse      bool                `json:"inUse,omitzero"`
}

// Author is who made a proposal, with what policies need to know when it is applied in their absence.
type Author struct {
	ID     string       `json:"id"`
	Kind   access.Kind  `json:"kind,omitzero"`
	Groups []string     `json:"groups,omitempty"`
	Scope  access.Scope `json:"scope,omitzero"`
}

// authorOf returns a principal as it is recorded.
func authorOf(id string, p access.Principal) Author {
	return Author{ID: id, Kind: p.Kind, Groups: p.Groups, Scope: p.Scope}
}

func (a Author) principal() access.Principal {
	return access.Principal{ID: a.ID, Kind: a.Kind, Groups: a.Groups, Scope: a.Scope}
}

// Hash names the proposal: the exact changes, what they were made from, and when and how they are to be applied.
func (p *Proposal) Hash() string {
	data, err := json.Marshal(struct {
		Changes          []DocumentChange
		Epoch            changelog.Epoch
		Bases            []Base
		ApplyAt, Expires time.Time
		LateSeconds      int64
		BreakGlass       bool
	}{p.Changes, p.Epoch, p.Bases, p.ApplyAt.UTC(), p.Expires.UTC(), p.LateSeconds, p.BreakGlass}, json.Deterministic(true))
	if err != nil {
		return "" // approvals of it do not count; not for what was decoded or compacted
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// documents returns the changes as they are appended.
func (p *Proposal) documents() []document.Document {
	list := make([]document.Document, len(p.Changes))
	for i, c := range p.Changes {
		list[i] = document.Document{Kind: c.Kind, Key: c.Key, Body: c.Body}
	}
	return list
}
