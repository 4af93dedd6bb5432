package follow

import "github.com/flagside/flagside/sync/changelog"

// noteForeign takes note of the messages between an entry and the one that it
// continues: the chain tells that they are no entries.
func (s *followLoop) noteForeign(r changelog.Record) {
	if r.Prev.Revision > 0 {
		s.foreign(r.Prev.Revision+1, r.Revision-1)
	}
}

// noteForeignEnd takes note of the messages behind the last entry that were
// judged, and of a log that has no entry.
func (s *followLoop) noteForeignEnd() {
	if s.received() == 0 {
		s.current.Unsigned = s.judged
		return
	}
	s.foreign(s.received()+1, s.judged)
}

// foreign takes note of a run of sequences, of which some may be known.
func (s *followLoop) foreign(first, last uint64) {
	first = max(first, s.foreignTo+1)
	if first > last {
		return
	}
	s.foreignTo = last
	s.current.Foreign = s.current.Foreign.With(first, last)
}

// noteAnchors remembers how far the journals went at most, by what was signed.
func (s *followLoop) noteAnchors(ledger, control changelog.Anchor) {
	if ledger.Sequence > s.current.Ledger.Sequence {
		s.current.Ledger = ledger
	}
	if control.Sequence > s.current.Control.Sequence {
		s.current.Control = control
	}
}
