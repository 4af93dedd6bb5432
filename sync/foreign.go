package flagsync

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// keptForeign is how many of the last runs of foreign messages are remembered.
const keptForeign = 8

// Foreign is what is known of messages in a stream that no publisher signed for
// their place. They are skipped. The zero value is none.
type Foreign struct {
	Messages uint64     // that were passed since reading began
	Last     []Sequence // the newest of them, in ascending order
	Since    time.Time  // when the last of them was passed
}

// Sequence is a run of sequences of a stream, both included.
type Sequence struct{ First, Last uint64 }

// String counts them and names the last places.
func (f Foreign) String() string {
	if f.Messages == 0 {
		return "none"
	}
	var runs []string
	for _, s := range f.Last {
		if s.First == s.Last {
			runs = append(runs, strconv.FormatUint(s.First, 10))
		} else {
			runs = append(runs, fmt.Sprintf("%d to %d", s.First, s.Last))
		}
	}
	return fmt.Sprintf("%d since the start, the last at %s", f.Messages, strings.Join(runs, ", "))
}

// with returns it with a run of sequences behind those that are known.
func (f Foreign) with(first, last uint64) Foreign {
	f.Messages += last - first + 1
	f.Since = time.Now()
	kept := append([]Sequence(nil), f.Last...) // what is published is not changed
	if n := len(kept); n > 0 && kept[n-1].Last+1 == first {
		kept[n-1].Last = last
	} else {
		kept = append(kept, Sequence{first, last})
	}
	f.Last = kept[max(len(kept)-keptForeign, 0):]
	return f
}

// upTo returns it without what stands behind a sequence, as far as it is named.
func (f Foreign) upTo(sequence uint64) Foreign {
	var kept []Sequence
	for _, s := range f.Last {
		if s.Last > sequence {
			f.Messages -= s.Last - max(sequence, s.First-1)
			s.Last = sequence
		}
		if s.First <= s.Last {
			kept = append(kept, s)
		}
	}
	f.Last = kept
	return f
}

// noteForeign takes note of the messages between an entry and the one that it
// continues: the chain tells that they are no entries.
func (s *following) noteForeign(r changelog.Record) {
	if r.Prev.Revision > 0 {
		s.foreign(r.Prev.Revision+1, r.Revision-1)
	}
}

// noteForeignEnd takes note of the messages behind the last entry that were
// judged, and of a log that has no entry.
func (s *following) noteForeignEnd() {
	if s.received() == 0 {
		s.current.Unsigned = s.judged
		return
	}
	s.foreign(s.received()+1, s.judged)
}

// foreign takes note of a run of sequences, of which some may be known.
func (s *following) foreign(first, last uint64) {
	first = max(first, s.foreignTo+1)
	if first > last {
		return
	}
	s.foreignTo = last
	s.current.Foreign = s.current.Foreign.with(first, last)
}

// noteAnchors remembers how far the journals went at most, by what was signed.
func (s *following) noteAnchors(ledger, control changelog.Anchor) {
	if ledger.Sequence > s.current.Ledger.Sequence {
		s.current.Ledger = ledger
	}
	if control.Sequence > s.current.Control.Sequence {
		s.current.Control = control
	}
}
