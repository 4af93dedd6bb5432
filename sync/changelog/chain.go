package changelog

import (
	"errors"
	"fmt"
)

// ChainLength is how many of the last digests a [Chain] holds.
const ChainLength = 1024

// Errors of a record that does not continue a history.
var (
	// ErrGap tells that the revision is not the next one.
	ErrGap = errors.New("not the next revision")
	// ErrDifferentHistory tells that the log is not the one that was followed
	// so far: recreated, restored, or forked.
	ErrDifferentHistory = errors.New("a different history")
)

// Chain is what a follower remembers of a history to recognise that a log still
// continues it: the position it has reached, and the digests of the last
// ChainLength revisions. The zero value stands before revision 1 of any history.
// It is not safe for concurrent use.
type Chain struct {
	head    Position
	digests [ChainLength]Digest // of revision r at r % ChainLength
	first   uint64              // lowest revision whose digest is held
}

// NewChain returns a chain that stands at head and remembers nothing before it.
func NewChain(head Position) *Chain {
	c := &Chain{head: head, first: head.Revision}
	c.digests[head.Revision%ChainLength] = head.Digest
	return c
}

// Head returns the position that was reached.
func (c *Chain) Head() Position { return c.head }

// Extend moves the chain on by one record. It refuses, and stays where it is,
// with [ErrGap] when r is not the next revision, and with
// [ErrDifferentHistory] when r does not name the digest of the entry before it
// or changes the epoch without being an epoch entry.
func (c *Chain) Extend(r Record) error {
	if r.Revision != c.head.Revision+1 {
		return fmt.Errorf("revision %d after %d: %w", r.Revision, c.head.Revision, ErrGap)
	}
	if r.Prev != c.head.Digest {
		return fmt.Errorf("revision %d follows an entry %s, revision %d here is %s: %w",
			r.Revision, r.Prev, c.head.Revision, c.head.Digest, ErrDifferentHistory)
	}
	if r.Epoch != c.head.Epoch && r.Kind != KindEpoch {
		return fmt.Errorf("revision %d belongs to epoch %s, revision %d to %s: %w",
			r.Revision, r.Epoch.Short(), c.head.Revision, c.head.Epoch.Short(), ErrDifferentHistory)
	}
	c.head = r.Position()
	c.digests[r.Revision%ChainLength] = r.Digest
	if r.Revision-c.first >= ChainLength {
		c.first = r.Revision - ChainLength + 1
	}
	return nil
}

// Compare tells whether somebody else's position can belong to the history the
// chain remembers. It returns [ErrDifferentHistory] when another digest or
// epoch stands at a revision that is held here, and nil when the position
// agrees or cannot be compared because it lies outside of what is held.
func (c *Chain) Compare(p Position) error {
	if p.Revision == 0 || p.Revision < c.first || p.Revision > c.head.Revision {
		return nil
	}
	if held := c.digests[p.Revision%ChainLength]; held != p.Digest {
		return fmt.Errorf("revision %d is %s elsewhere and %s here: %w", p.Revision, p.Digest, held, ErrDifferentHistory)
	}
	if p.Revision == c.head.Revision && p.Epoch != c.head.Epoch {
		return fmt.Errorf("revision %d belongs to epoch %s elsewhere and %s here: %w",
			p.Revision, p.Epoch.Short(), c.head.Epoch.Short(), ErrDifferentHistory)
	}
	return nil
}
