package flagsync

import (
	"fmt"
	"strconv"
	"strings"
	"time"
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

// With returns it with a run of sequences behind those that are known.
func (f Foreign) With(first, last uint64) Foreign {
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

// UpTo returns it without what stands behind a sequence, as far as it is named.
func (f Foreign) UpTo(sequence uint64) Foreign {
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
