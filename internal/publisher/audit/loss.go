package audit

import (
	"slices"

	"github.com/flagside/flagside/sync/changelog"
)

// lost are records of a journal that are missing, as a signed repair says.
type lost struct {
	changelog.Interval

	until uint64 // the newest record of the journal before it was repaired, as far as anything names it
}

// gap is a place in a journal where records are missing, until a repair says that they are lost.
type gap struct {
	before  changelog.Anchor // the record before the gap; zero if there is none
	missing changelog.Anchor // the record that the one behind the gap continues
}

// knownTo reports whether a repair found the gap: it keeps the record before it, and skipped the one that is missing. Without that, more
// could be left out of an export beside a gap.
func (g gap) knownTo(r changelog.LedgerRepair) bool {
	return (g.before.IsZero() || slices.Contains(r.Kept, g.before)) &&
		slices.ContainsFunc(r.Skipped, func(i changelog.Interval) bool { return i.First <= g.missing.Sequence && g.missing.Sequence <= i.Last })
}

// openGap notes that a record continues one that is missing. It is bad unless a repair follows.
func (h *ledgerHistory) openGap(r changelog.LedgerRecord, line int) {
	h.gaps = append(h.gaps, gap{before: h.last.Anchor(), missing: r.Prev})
	h.doubts = append(h.doubts, h.bad(r.Sequence, line, "it continues record %d, which is missing", r.Prev.Sequence))
}

// doubt returns what is wrong with a record. While there is a gap, which may have what makes it right, it only notes it and returns nil.
func (h *ledgerHistory) doubt(sequence uint64, line int, format string, args ...any) error {
	err := h.bad(sequence, line, format, args...)
	if len(h.gaps) == 0 {
		return err
	}
	h.doubts = append(h.doubts, err)
	return nil
}

// first returns the first of what is wrong: what was noted comes before err.
func (h *ledgerHistory) first(err error) error {
	if len(h.doubts) > 0 {
		return h.doubts[0]
	}
	return err
}

// repaired verifies a record that begins a new chain, on an operator's word. It must keep all that stands before it, and explains what is
// missing there. Its signature needs no look: what follows proves it.
func (h *ledgerHistory) repaired(r changelog.LedgerRecord, repair changelog.LedgerRepair, line int) error {
	if repair.Leaves != h.last.Anchor() {
		return h.misplaced(r, repair.Leaves, line)
	}
	for _, kept := range repair.Kept {
		digest, found, err := h.places.digest(kept.Sequence)
		switch {
		case err != nil:
			return err
		case !found || digest != kept.Digest:
			return h.bad(r.Sequence, line, "this repair keeps record %s, which is missing or different", kept)
		}
	}
	for _, g := range h.gaps {
		if !g.knownTo(repair) {
			return h.first(nil)
		}
		h.lose(r, g.before.Sequence+1, g.missing.Sequence, r.Sequence-1)
	}
	switch lacks := repair.Lacks; {
	case lacks.Sequence > repair.Leaves.Sequence:
		h.lose(r, repair.Leaves.Sequence+1, lacks.Sequence, lacks.Sequence)
	case len(h.gaps) == 0:
		h.question("%s was repaired at %d: records before it could not be read, or belonged to another history", h.stream, r.Sequence)
	}
	h.missing = append(h.missing, repair.Lacks)
	h.gaps, h.doubts = nil, nil
	return nil
}

// lose notes that records are lost. Several repairs may say so of the same.
func (h *ledgerHistory) lose(r changelog.LedgerRecord, first, last, until uint64) {
	if slices.ContainsFunc(h.losses, func(l lost) bool { return l.First <= first && last <= l.Last }) {
		return
	}
	h.losses = append(h.losses, lost{changelog.Interval{First: first, Last: last}, until})
	h.question("%s: records %d to %d are lost, as the repair at %d says: what they recorded cannot be verified", h.stream, first, last, r.Sequence)
}

// lacks reports whether a repair explains that the journal does not have a record that is named elsewhere.
func (h *ledgerHistory) lacks(a changelog.Anchor) bool {
	return slices.Contains(h.missing, a) || slices.ContainsFunc(h.losses, func(l lost) bool { return l.First <= a.Sequence && a.Sequence <= l.Last })
}

// lostBy reports whether records may be lost that were there when the journal went as far as a sequence.
func (h *ledgerHistory) lostBy(sequence uint64) bool {
	return slices.ContainsFunc(h.losses, func(l lost) bool { return l.First <= sequence && sequence <= l.until })
}
