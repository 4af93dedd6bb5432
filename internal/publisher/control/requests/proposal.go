package requests

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
)

// Proposal is what a change request wants to do. Approvals are for exactly one proposal, which its hash names.
type Proposal struct {
	Changes []DocumentChange `json:"changes"`
	// Epoch and Bases are what the changes were made from.
	Epoch changelog.Epoch `json:"epoch"`
	Bases []Base          `json:"bases"`
	// ApplyAt is when it is to be applied; zero is when it is asked for.
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
	// Source is the name of the files that want it, as its author said; empty for any other. Approvals do not depend on it.
	Source string `json:"source,omitzero"`
	// Restores tells what is restored; nil for any other change.
	Restores *Restoration `json:"restores,omitzero"`
}

// DocumentChange is one document to be put, or deleted when Body is nil.
type DocumentChange struct {
	Kind document.Kind  `json:"kind"`
	Key  string         `json:"key"`
	Body jsontext.Value `json:"body,omitzero"`
}

// ChangesOf returns documents as a proposal has them.
func ChangesOf(documents []document.Document) []DocumentChange {
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

// NewAuthor returns a principal as it is recorded.
func NewAuthor(id string, p access.Principal) Author {
	return Author{ID: id, Kind: p.Kind, Groups: p.Groups, Scope: p.Scope}
}

// Principal returns the author as policies know them, without a name.
func (a Author) Principal() access.Principal {
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

// Documents returns the changes as they are appended.
func (p *Proposal) Documents() []document.Document {
	list := make([]document.Document, len(p.Changes))
	for i, c := range p.Changes {
		list[i] = document.Document{Kind: c.Kind, Key: c.Key, Body: c.Body}
	}
	return list
}

// WithoutBodies returns the proposal with the names of its documents alone; nil of nil.
func (p *Proposal) WithoutBodies() *Proposal {
	if p == nil {
		return nil
	}
	bare := *p
	bare.Changes = slices.Clone(p.Changes)
	for i := range bare.Changes {
		bare.Changes[i].Body = nil
	}
	return &bare
}

// BeginsEpoch reports whether the request is the record of a new epoch, and not of a transaction.
func (p *Proposal) BeginsEpoch() bool { return p.Restores != nil && p.Restores.NewEpoch }

// Base is what a change was made from: a document and the revision that it had, 0 if it did not exist.
type Base struct {
	Kind     document.Kind `json:"kind"`
	Key      string        `json:"key"`
	Revision uint64        `json:"revision"`
}

// ID returns which document it is.
func (b Base) ID() document.ID { return document.ID{Kind: b.Kind, Key: b.Key} }

// Restoration says what a change request restores, and over what. It stands in the ledger with the request.
type Restoration struct {
	// Snapshot is the position of the snapshot; zero where an environment is recreated from what a publisher holds.
	Snapshot changelog.Position `json:"snapshot,omitzero"`
	// State is the digest of the documents that are to be there afterwards, with the revisions that they had.
	State changelog.Digest `json:"state"`
	// InHistory tells that the log has the position of the snapshot.
	InHistory bool `json:"inHistory,omitzero"`
	// Before and BeforeState are the position and the digest of the documents that the environment had; zero is not known.
	Before      changelog.Position `json:"before,omitzero"`
	BeforeState changelog.Digest   `json:"beforeState,omitzero"`
	// Documents is how many documents differ in all, also those that the request does not name.
	Documents int `json:"documents,omitzero"`
	// NewEpoch tells that the documents are written as a new epoch of the log.
	NewEpoch bool `json:"newEpoch,omitzero"`
}
