package audit

import (
	"fmt"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// logHistory verifies the entries of a log: that each is complete and continues the one before, that each transaction leads to the state
// that was signed with it, and that what it says about ledger and CONTROL is so.
type logHistory struct {
	*verifier

	stream    string
	places    places
	epochs    map[changelog.Epoch]bool
	last      changelog.Record
	lastLine  int
	note      map[uint32]bool // ids of the keys in the newest keys note of the log; nil before the first
	assembler changelog.Assembler
	pending   map[uint64]exportedEntry // the entries of the transaction that is assembled
	left      []changelog.Position     // what renewals say was left for them
	documents map[document.ID]document.Document
	state     changelog.State
}

// exportedEntry is what an export says about an entry beside its bytes.
type exportedEntry struct {
	line    int
	changes []Difference
}

func newLogHistory(v *verifier, stream string) *logHistory {
	return &logHistory{verifier: v, stream: stream, places: places{dir: v.options.Scratch}, pending: make(map[uint64]exportedEntry), epochs: make(map[changelog.Epoch]bool), documents: make(map[document.ID]document.Document)}
}

func (h *logHistory) head() changelog.StreamHead {
	return changelog.StreamHead{
		Stream: h.stream, Epoch: h.last.Epoch, Anchor: changelog.Anchor{Sequence: h.last.Revision, Digest: h.last.Digest},
	}
}

func (h *logHistory) count() int { return h.places.count() }

func (h *logHistory) bad(revision uint64, line int, format string, args ...any) error {
	return &BadRecordError{Stream: h.stream, Sequence: revision, Line: line, Reason: fmt.Sprintf(format, args...)}
}

func (h *logHistory) take(exported Record, line int) error {
	m := changelog.Message{Revision: exported.Sequence, Subject: exported.Subject, Proof: exported.Proof, Data: []byte(exported.Data)}
	r, err := changelog.DecodeSigned(h.header.Environment, m)
	if err != nil {
		return h.bad(exported.Sequence, line, "%v", err)
	}
	if err := h.verifyPlace(r, line); err != nil {
		return err
	}
	if err := h.verifySigner(r, line); err != nil {
		return err
	}
	if err := h.verifyAnchors(r, line); err != nil {
		return err
	}
	if err := h.places.add(r.Revision, r.Digest); err != nil {
		return err
	}
	h.last, h.lastLine, h.pending[r.Revision] = r, line, exportedEntry{line, exported.Changes}
	h.epochs[r.Epoch] = true
	if !r.Leaves.IsZero() {
		h.left = append(h.left, r.Leaves)
	}
	tx, err := h.assembler.Add(r)
	if err != nil {
		return h.bad(r.Revision, line, "%v", err)
	}
	if tx == nil {
		return nil
	}
	defer clear(h.pending)
	if err := h.verifyState(tx); err != nil {
		return err
	}
	return h.decisions.verify(h, tx)
}

// verifyPlace verifies what the entry continues.
func (h *logHistory) verifyPlace(r changelog.Record, line int) error {
	first := h.places.count() == 0
	switch {
	case first && (r.Prev != changelog.Link{} || r.Kind != document.KindEpoch):
		return h.bad(r.Revision, line, "the log does not begin with it: what it continues, revision %d, is missing", r.Prev.Revision)
	case first:
		return nil
	case r.Prev == h.last.Position().Link():
		return h.verifyEpoch(r, line)
	case r.Prev.Revision > h.last.Revision:
		return h.bad(r.Revision, line, "it continues revision %d, which is missing", r.Prev.Revision)
	case r.Prev.Revision < h.last.Revision:
		return h.bad(r.Revision, line, "it continues revision %d and stands after revision %d: the order was changed, or a record was put between", r.Prev.Revision, h.last.Revision)
	case h.keys.VerifyPastHead(h.header.Environment, h.last.Head()) != nil:
		return h.bad(h.last.Revision, h.lastLine, "it was changed after it was signed: the next entry continues %s, and it is %s", r.Prev.Digest, h.last.Digest)
	default:
		return h.bad(r.Revision, line, "it continues revision %d %s, which is %s", r.Prev.Revision, r.Prev.Digest, h.last.Digest)
	}
}

func (h *logHistory) verifyEpoch(r changelog.Record, line int) error {
	begins := r.Kind == document.KindEpoch
	switch {
	case begins && !(r.Renews() && r.Epoch.Later(h.last.Epoch)):
		return h.bad(r.Revision, line, "it begins an epoch and renews nothing, or an older one")
	case !begins && r.Epoch != h.last.Epoch:
		return h.bad(r.Revision, line, "it belongs to epoch %s, the entry before to %s", r.Epoch.Short(), h.last.Epoch.Short())
	}
	return nil
}

// verifySigner verifies that the key that is named may sign at this place, and the signature where it matters: of each entry if that is
// asked for, else of the last one of each key.
func (h *logHistory) verifySigner(r changelog.Record, line int) error {
	if r.Kind == document.KindKeys {
		if err := h.adopt(r); err != nil {
			return h.bad(r.Revision, line, "%v", err)
		}
	}
	id, ok := r.Signature.KeyID()
	if !ok || h.note != nil && !h.note[id] {
		return h.bad(r.Revision, line, "key %08x signed it, which the keys note of that time does not list", id)
	}
	if h.options.EverySignature {
		return h.verifySignature(r, line)
	}
	if before, _ := h.last.Signature.KeyID(); h.last.Revision > 0 && before != id {
		return h.verifySignature(h.last, h.lastLine)
	}
	return nil
}

func (h *logHistory) verifySignature(r changelog.Record, line int) error {
	if err := h.keys.VerifyPastHead(h.header.Environment, r.Head()); err != nil {
		return h.bad(r.Revision, line, "%v", err)
	}
	return nil
}

// adopt takes the keys note of an entry over.
func (h *logHistory) adopt(r changelog.Record) error {
	text, err := changelog.KeysText(r.Put)
	if err == nil {
		err = h.keys.Adopt(text)
	}
	if err != nil {
		return err
	}
	trust, err := h.keys.Trust().WithFloor(text)
	if err != nil {
		return err
	}
	h.note = make(map[uint32]bool)
	for _, key := range trust.Floor().PublicKeys() {
		h.note[key.ID] = true
	}
	return nil
}

// verifyAnchors verifies that ledger and CONTROL have the records that the entry names, as far as they did not lose them.
func (h *logHistory) verifyAnchors(r changelog.Record, line int) error {
	if control := h.journals["CONTROL"]; control != nil {
		if err := h.verifyAnchor(r, line, control, "CONTROL", r.Control); err != nil {
			return err
		}
	}
	return h.verifyAnchor(r, line, h.ledger(), "ledger", r.Ledger)
}

func (h *logHistory) verifyAnchor(r changelog.Record, line int, journal *journalHistory, name string, a changelog.Anchor) error {
	if a.Sequence == 0 {
		return nil
	}
	digest, found, err := journal.places.digest(a.Sequence)
	switch {
	case err != nil || found && digest == a.Digest || journal.lacks(a):
		return err
	case !found && a.Sequence > journal.last.Sequence:
		return h.bad(r.Revision, line, "this entry refers to %s record %d, but %s ends at record %d: records were cut off there", name, a.Sequence, journal.stream, journal.last.Sequence)
	case !found:
		return h.bad(r.Revision, line, "this entry refers to %s record %d, which is missing", name, a.Sequence)
	default:
		return h.bad(r.Revision, line, "this entry refers to %s record %d, but record %d is different: the history was rewritten", name, a.Sequence, a.Sequence)
	}
}

// hasLeft reports whether a renewal says that the log was left at a position or behind it, for an epoch that the log does not have: its
// stream was lost then, and recreated.
func (h *logHistory) hasLeft(at changelog.Position) bool {
	return !h.epochs[at.Epoch] && slices.ContainsFunc(h.left, func(l changelog.Position) bool {
		switch {
		case h.epochs[l.Epoch] || l.Revision < at.Revision:
			return false
		case l.Epoch == at.Epoch:
			return l.Revision > at.Revision || l.Digest == at.Digest
		default:
			return l.Epoch.Later(at.Epoch) // which was left for this one before
		}
	})
}

// verifyState applies a transaction and compares the state with the one that was signed.
func (h *logHistory) verifyState(tx changelog.Transaction) error {
	edit := h.state.Edit()
	var forged error
	for _, r := range tx {
		if forged == nil {
			forged = h.verifyChanges(r)
		}
		if r.Kind == document.KindEpoch {
			edit = changelog.State{}.Edit()
			clear(h.documents)
			continue
		}
		if before, ok := h.documents[r.ID()]; ok {
			edit.Remove(before)
			delete(h.documents, r.ID())
		}
		if !r.Delete {
			d := r.Document()
			edit.Add(d)
			h.documents[r.ID()] = d
		}
	}
	h.state = edit.State()
	last := tx[len(tx)-1]
	if h.state.Digest() == last.State {
		return forged
	}
	for _, r := range tx {
		if h.keys.VerifyPastHead(h.header.Environment, r.Head()) != nil {
			return h.bad(r.Revision, h.pending[r.Revision].line, "it was changed after it was signed: the documents do not lead to the state that follows")
		}
	}
	return h.bad(last.Revision, h.pending[last.Revision].line, "a publisher signed a state that the documents do not lead to")
}

// verifyChanges verifies that an entry made the changes that the export shows with it, before it is applied.
func (h *logHistory) verifyChanges(r changelog.Record) error {
	var made []Difference
	if r.Kind != document.KindEpoch {
		made = differences(h.documents[r.ID()].Body, r.Put)
	}
	if at := h.pending[r.Revision]; !sameDifferences(made, at.changes) {
		return h.bad(r.Revision, at.line, "the changes that the export shows are not those that this entry made")
	}
	return nil
}

// finish verifies the signature of the newest entry, which proves all others, and what the ledger says about the log.
func (h *logHistory) finish() error {
	if h.last.Revision == 0 {
		return h.bad(0, 0, "it has no entry")
	}
	if err := h.verifySignature(h.last, h.lastLine); err != nil {
		return err
	}
	if h.last.Index != h.last.Count {
		return h.bad(h.last.Revision, h.lastLine, "the log ends within a transaction, %d of %d", h.last.Index, h.last.Count)
	}
	for _, l := range h.left {
		if !h.epochs[l.Epoch] {
			h.question("%s: the log was lost and recreated: nothing of epoch %s is left, which went to revision %d at least", h.stream, l.Epoch.Short(), l.Revision)
		}
	}
	return h.decisions.finish(h)
}

func (h *logHistory) verifyNewest() error {
	if h.keys.VerifyHead(h.header.Environment, h.last.Head()) == nil {
		return nil
	}
	id, _ := h.last.Signature.KeyID()
	return h.bad(h.last.Revision, h.lastLine, "%s", h.notListed(id))
}
