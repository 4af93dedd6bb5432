package writer

import (
	"fmt"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

// places tells which messages of a stream were not there when it was read in order.
type places struct {
	next    uint64 // sequence that is expected
	missing uint64 // the last sequence without a message; 0 is none
}

// read notes that a message is there.
func (p *places) read(sequence uint64) {
	if sequence > p.next {
		p.missing = sequence - 1
	}
	p.next = sequence + 1
}

// whole fails with ErrHole if a message between an entry and the last sequence is
// missing.
func (p *places) whole(head, last uint64) error {
	p.read(last + 1)
	return hole(p.missing, head)
}

// hole returns ErrHole if a message is missing that an entry does not prove to have
// been noise by continuing one before it.
func hole(missing, head uint64) error {
	if missing <= head {
		return nil
	}
	return fmt.Errorf("%w: message %d, behind revision %d, is not there and may have been a change", jetstream.ErrHole, missing, head)
}
