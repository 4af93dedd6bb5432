package webhook

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/api"
	flagsync "github.com/flagside/flagside/sync"
)

// storedVersion is the format of messages of the queue.
const storedVersion = 1

// stored is a message of the queue: an event, or only how far was copied. It has opaque ids of persons, and no names, which may have to be erased.
type stored struct {
	Version int            `json:"v"`
	Place   activity.Place `json:"place"` // up to which everything is in the queue
	Count   uint64         `json:"count"` // of events that the queue has got, this one included
	ID      string         `json:"id,omitzero"`
	Event   *api.Event     `json:"event,omitzero"`
}

// maxEvent bounds an event in the queue, in bytes. A change can name 1,000 documents of long keys, which is more than NATS and many receivers take.
const maxEvent = 256 << 10

// bounded returns an event that has no more than so many bytes as JSON: the documents at its end are only counted. What is too large even so, tells
// little more than that it happened; the activity of the environment has all of it.
func bounded(e api.Event, most int) (api.Event, error) {
	documents := e.Documents
	e.Documents = nil
	size, err := sizeOf(e)
	if err == nil && size > most {
		e = api.Event{
			Sequence: e.Sequence, Time: e.Time, Type: e.Type, Actor: e.Actor, Request: e.Request, Text: e.Text, Revision: e.Revision, OpID: e.OpID, Breaks: e.Breaks,
		}
		size, err = sizeOf(e)
	}
	if err != nil {
		return e, err
	}
	size += len(`,"documents":[],"moreDocuments":100000`)
	fits := 0
	for ; fits < len(documents); fits++ {
		n, err := sizeOf(documents[fits])
		if err != nil {
			return e, err
		}
		if size += n + len(","); size > most {
			break
		}
	}
	e.Documents, e.More = documents[:fits:fits], len(documents)-fits
	return e, nil
}

func sizeOf(v any) (int, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("event: %w", err)
	}
	return len(text), nil
}

func (s stored) encode() ([]byte, error) {
	s.Version = storedVersion
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return data, nil
}

// decodeStored decodes a message of the queue.
func decodeStored(data []byte) (stored, error) {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return stored{}, fmt.Errorf("event: %w", err)
	}
	if s.Version != storedVersion {
		return stored{}, fmt.Errorf("event of format %d: a newer publisher wrote it, bring this one to its version", s.Version)
	}
	if s.Event != nil && s.ID == "" {
		return stored{}, fmt.Errorf("event: it has no id")
	}
	return s, nil
}

// idOf names an item of an environment for good: a change by its revision, an event of the ledger by its place there and what it says, because a ledger that
// is restored from a backup uses places again.
func idOf(environment string, i activity.Item) string {
	if i.Event != nil {
		return fmt.Sprintf("%s-%d-%s", flagsync.LedgerStream(environment), i.Event.Sequence, i.Event.Digest.String()[:8])
	}
	return i.Change.Position().Token().String()
}

// occurrence is an event on its way to a receiver.
type occurrence struct {
	environment string
	id          string
	event       api.Event
	link        string // of the change request for people; empty is none
}

// subject returns the key of the flag that the event is about; empty if it is about none, or several.
func (o occurrence) subject() string {
	if len(o.event.Documents)+o.event.More != 1 || o.event.Documents[0].Kind != string(document.KindFlag) {
		return ""
	}
	return o.event.Documents[0].Key
}

// typeTest is the type of an event that an administrator sends to try a webhook.
const typeTest = "test"
