package audit

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/changelog"
)

// journalHistory verifies the records of the ledger or of CONTROL.
type journalHistory struct {
	*verifier

	stream   string
	places   places
	last     changelog.JournalRecord
	lastLine int
	gaps     []gap              // that no repair has explained yet
	doubts   []error            // what is wrong unless a repair follows, in order
	losses   []lost             // what repairs say is lost
	missing  []changelog.Anchor // what repairs say is named elsewhere and not here
}

func newJournalHistory(v *verifier, stream string) *journalHistory {
	return &journalHistory{verifier: v, stream: stream, places: places{dir: v.options.Scratch}}
}

func (h *journalHistory) head() changelog.StreamHead {
	return changelog.StreamHead{Stream: h.stream, Anchor: h.last.Anchor()}
}

func (h *journalHistory) count() int { return h.places.count() }

func (h *journalHistory) bad(sequence uint64, line int, format string, args ...any) error {
	return &BadRecordError{Stream: h.stream, Sequence: sequence, Line: line, Reason: fmt.Sprintf(format, args...)}
}

func (h *journalHistory) take(exported Record, line int) error {
	if err := h.takeRecord(exported, line); err != nil {
		return h.first(err)
	}
	return nil
}

func (h *journalHistory) takeRecord(exported Record, line int) error {
	r, err := changelog.DecodeJournalRecord([]byte(exported.Data))
	switch {
	case err != nil:
		return h.bad(exported.Sequence, line, "%v", err)
	case r.Stream != h.stream || r.Sequence != exported.Sequence:
		return h.bad(exported.Sequence, line, "it says that it is record %d of %s", r.Sequence, r.Stream)
	case exported.Subject != "" || len(exported.Changes) > 0:
		return h.bad(exported.Sequence, line, "it has a subject or changes, which only entries of the log have")
	}
	r.Signature = changelog.Signature(exported.Proof)
	if err := h.verifyPlace(r, line); err != nil {
		return err
	}
	h.adopt(r)
	if h.options.EverySignature {
		if err := h.verifySignature(r, line); err != nil {
			return err
		}
	} else if before, now := keyOf(h.last), keyOf(r); h.last.Sequence > 0 && before != now {
		if err := h.verifySignature(h.last, h.lastLine); err != nil {
			return err
		}
	}
	if err := h.places.add(r.Sequence, r.Digest); err != nil {
		return err
	}
	h.last, h.lastLine = r, line
	if err := h.acts.take(h, r, line); err != nil {
		return err
	}
	return h.decisions.take(h, r, line)
}

func keyOf(r changelog.JournalRecord) uint32 {
	id, _ := r.Signature.KeyID()
	return id
}

// verifyPlace verifies what the record continues. One that repairs the journal begins a new chain.
func (h *journalHistory) verifyPlace(r changelog.JournalRecord, line int) error {
	if repair, ok := changelog.RepairOf(r); ok {
		return h.repaired(r, repair, line)
	}
	switch {
	case r.Prev == h.last.Anchor():
		return nil
	case r.Prev.Sequence > h.last.Sequence:
		h.openGap(r, line)
		return nil
	default:
		return h.misplaced(r, r.Prev, line)
	}
}

// misplaced says why a record does not stand behind the one that it continues.
func (h *journalHistory) misplaced(r changelog.JournalRecord, prev changelog.Anchor, line int) error {
	switch {
	case prev.Sequence > h.last.Sequence:
		return h.bad(r.Sequence, line, "it continues record %d, which is missing", prev.Sequence)
	case prev.Sequence < h.last.Sequence:
		return h.bad(r.Sequence, line, "it continues record %d and stands after record %d: the order was changed, or a record was put between", prev.Sequence, h.last.Sequence)
	case h.keys.VerifyPastRecord(h.stream, h.last.Anchor(), h.last.Signature) != nil:
		return h.bad(h.last.Sequence, h.lastLine, "it was changed after it was signed: the next record continues %s, and it is %s", prev.Digest, h.last.Digest)
	default:
		return h.bad(r.Sequence, line, "it continues record %d %s, which is %s", prev.Sequence, prev.Digest, h.last.Digest)
	}
}

// content is what is read here of any record.
type content struct {
	Type string `json:"type"`
	Keys string `json:"keys"` // a keys note
}

func contentOf(r changelog.JournalRecord) (c content) {
	_ = json.Unmarshal(r.Body, &c) // a record without a type is of none that is known here
	return c
}

// adopt takes the keys note over that a record of CONTROL may hold.
func (h *journalHistory) adopt(r changelog.JournalRecord) {
	if c := contentOf(r); c.Type == changelog.RecordKeys {
		if err := h.keys.Adopt(c.Keys); err != nil {
			h.question("%s at %d holds a keys note that does not count: %v", h.stream, r.Sequence, err)
		}
	}
}

func (h *journalHistory) verifySignature(r changelog.JournalRecord, line int) error {
	if err := h.keys.VerifyPastRecord(h.stream, r.Anchor(), r.Signature); err != nil {
		return h.bad(r.Sequence, line, "%v", err)
	}
	return nil
}

// finish verifies the signature of the newest record, which proves all others, and that no gap is left.
func (h *journalHistory) finish() error {
	if h.last.Sequence == 0 {
		return nil
	}
	return h.first(h.verifySignature(h.last, h.lastLine))
}

func (h *journalHistory) verifyNewest() error {
	if h.last.Sequence == 0 || h.keys.VerifyRecord(h.stream, h.last.Anchor(), h.last.Signature) == nil {
		return nil
	}
	return h.bad(h.last.Sequence, h.lastLine, "%s", h.notListed(keyOf(h.last)))
}
