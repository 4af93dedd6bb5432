package writer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Types of the records of CONTROL that are about environments.
const (
	environmentCreated   = "environment.created"
	environmentArchived  = "environment.archived"
	environmentRevived   = "environment.revived"
	environmentDestroyed = "environment.destroyed"
)

// environmentRecord is what CONTROL says about an environment.
type environmentRecord struct {
	Type  string          `json:"type"`
	Name  string          `json:"name"`
	Epoch changelog.Epoch `json:"epoch,omitzero"` // of its first entry, when it was created
	Actor string          `json:"actor"`
	Time  time.Time       `json:"time"`
	// Reason and BreakGlass are those of the order, and Adopted tells that its streams
	// were there before the record.
	Reason     string `json:"reason,omitempty"`
	BreakGlass bool   `json:"breakGlass,omitzero"`
	Adopted    bool   `json:"adopted,omitzero"`
}

// Environment is one change log and what is known about it.
type Environment struct {
	Name     string
	Epoch    changelog.Epoch // of its first entry
	Actor    string          // opaque id of who created it
	Created  time.Time
	Archived time.Time // zero while it is in use
	// Destroyed is when it was decided to delete its flags for good; zero while it
	// can be revived. What is destroyed is archived too.
	Destroyed time.Time
}

// Order says who wants something to be done that CONTROL records, and why.
type Order struct {
	Actor  string // opaque id
	Reason string // may be empty
	// BreakGlass tells that it is done without the consent that policies want.
	BreakGlass bool
}

// ordered returns the record as one of a type, with its order.
func (r environmentRecord) ordered(kind string, o Order) environmentRecord {
	r.Type, r.Actor, r.Reason, r.BreakGlass = kind, o.Actor, o.Reason, o.BreakGlass
	return r
}

// decodeEnvironmentRecord returns false for records about other things.
func decodeEnvironmentRecord(r Record) (e environmentRecord, ok bool, err error) {
	switch changelog.RecordType(r.Body) {
	case environmentCreated, environmentArchived, environmentRevived, environmentDestroyed:
	default:
		return environmentRecord{}, false, nil
	}
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return environmentRecord{}, false, fmt.Errorf("%s at %d: %w", jetstream.ControlStream, r.Sequence, err)
	}
	if e.Name == "" {
		return environmentRecord{}, false, fmt.Errorf("%s at %d: it names no environment", jetstream.ControlStream, r.Sequence)
	}
	return e, true, nil
}

// environmentIndex is what the records of CONTROL say about environments.
type environmentIndex map[string]Environment

// apply takes a record over. The first that creates an environment counts. It is
// archived and revived in turns, until it is destroyed.
func (i environmentIndex) apply(r Record) error {
	e, ok, err := decodeEnvironmentRecord(r)
	if err != nil || !ok {
		return err
	}
	known, exists := i[e.Name]
	switch {
	case e.Type == environmentCreated && !exists:
		i[e.Name] = Environment{Name: e.Name, Epoch: e.Epoch, Actor: e.Actor, Created: e.Time}
	case e.Type == environmentArchived && exists && known.Archived.IsZero():
		known.Archived = e.Time
		i[e.Name] = known
	case e.Type == environmentDestroyed && exists && known.Destroyed.IsZero():
		known.Destroyed, known.Archived = e.Time, cmp.Or(known.Archived, e.Time)
		i[e.Name] = known
	case e.Type == environmentRevived && exists && known.Destroyed.IsZero():
		known.Archived = time.Time{}
		i[e.Name] = known
	}
	return nil
}

// list returns all environments by name.
func (i environmentIndex) list() []Environment {
	return slices.SortedFunc(maps.Values(i), func(a, b Environment) int { return strings.Compare(a.Name, b.Name) })
}
