package access

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// The types of records of CONTROL that are about no environment, token or person.
const (
	// PolicyChanged tells which policies a publisher enforces from then on.
	PolicyChanged = "policy.changed"
	// ActReviewed tells that another person has reviewed what was done without the consent that policies want.
	ActReviewed = "control.reviewed"
	// ActRestored tells that all streams were restored from a backup. What stands behind it was not in the backup.
	ActRestored = "control.restored"
)

// Why says why something is done to the installation. It stands in CONTROL for ever.
type Why struct {
	Reason string `json:"reason,omitempty"` // may be empty
	// BreakGlass tells that it is done without the consent that policies want.
	BreakGlass bool `json:"breakGlass,omitzero"`
}

// Act is something that was done to the installation, as CONTROL has it. What its members mean depends on the type.
type Act struct {
	Sequence uint64
	Type     string
	Time     time.Time // zero of a keys note
	Actor    string    // opaque id; empty for a publisher itself
	Why
	Environment string
	Token       Token  // of a revocation, it has only what that says
	Person      string // id
	// Digest is the SHA-256 of the policies that are enforced, Publisher the host of the publisher, and Cause its start or a reload.
	Digest           changelog.Digest
	Publisher, Cause string
	// KeysVersion is that of the keys note.
	KeysVersion uint64
	// Reviews is the sequence of the act that was reviewed.
	Reviews uint64
	// Reviewer is who has reviewed this one; empty if it was not.
	Reviewer string
}

// ReviewOpen reports whether the act was done without the consent that policies want, and was not reviewed.
func (a Act) ReviewOpen() bool { return a.BreakGlass && a.Reviewer == "" }

// actRecord is any record of CONTROL.
type actRecord struct {
	Type  string    `json:"type"`
	Time  time.Time `json:"time,omitzero"`
	Actor string    `json:"actor,omitempty"`
	Why
	Name      string           `json:"name,omitempty"`   // of an environment
	Adopted   bool             `json:"adopted,omitzero"` // which was there before
	Token     *Token           `json:"token,omitempty"`  // created or revoked
	ID        string           `json:"id,omitempty"`     // of a person
	Digest    changelog.Digest `json:"digest,omitzero"`  // of policies
	Publisher string           `json:"publisher,omitempty"`
	Cause     string           `json:"cause,omitempty"`
	Reviews   uint64           `json:"reviews,omitzero"`
	Keys      string           `json:"keys,omitempty"`
}

// RestoredRecord returns the body of the record that all streams were restored from a backup.
func RestoredRecord(at time.Time, actor string, why Why) ([]byte, error) {
	return json.Marshal(actRecord{Type: ActRestored, Time: at.UTC(), Actor: actor, Why: why})
}

// environmentAdopted is the type of an act that CONTROL has as the creation of an environment that was there before.
const environmentAdopted = "environment.adopted"

// isKnown reports whether records of a type are known here; those of others may be of a newer publisher.
func isKnown(kind string) bool {
	switch kind {
	case "environment.created", "environment.archived", "environment.revived", "environment.destroyed", tokenCreated, tokenRevoked, personErased, PolicyChanged, ActReviewed, ActRestored,
		changelog.RecordKeys, changelog.RecordRepaired:
		return true
	default:
		return false
	}
}

// DecodeAct returns what a record of CONTROL says; of a type that is not known here, only the type. It returns false for a record that tells
// of no administration: that a person got an id.
func DecodeAct(r writer.Record) (a Act, ok bool, err error) {
	kind := changelog.RecordType(r.Body)
	if !isKnown(kind) {
		return Act{Sequence: r.Sequence, Type: kind}, kind != personCreated, nil
	}
	var record actRecord
	if err := json.Unmarshal(r.Body, &record); err != nil {
		return Act{}, false, fmt.Errorf("CONTROL at %d: %w", r.Sequence, err)
	}
	a = Act{
		Sequence: r.Sequence, Type: record.Type, Time: record.Time, Actor: record.Actor, Why: record.Why, Environment: record.Name,
		Person: record.ID, Digest: record.Digest, Publisher: record.Publisher, Cause: record.Cause, Reviews: record.Reviews,
	}
	if record.Adopted {
		a.Type = environmentAdopted
	}
	if record.Token != nil {
		a.Token = *record.Token
		a.Actor, a.Time = a.Token.Author, a.Token.Created
	}
	if record.Type == tokenRevoked {
		a.Actor, a.Time = a.Token.Revoker, a.Token.Revoked
	}
	if record.Type == changelog.RecordKeys {
		a.KeysVersion = changelog.KeysVersion(record.Keys)
	}
	return a, true, nil
}
