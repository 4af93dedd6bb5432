package changelog

import (
	"errors"
	"fmt"
	"sort"

	"github.com/flagside/flagside/document"
)

// ChainLength is how many of the last digests a [Chain] holds.
const ChainLength = 1024

// Errors of an entry that does not continue a history.
var (
	// ErrGap tells that an entry before it is missing here.
	ErrGap = errors.New("an entry is missing")
	// ErrDifferentHistory tells that the log is not the one that was followed
	// so far: recreated, restored, or forked.
	ErrDifferentHistory = errors.New("a different history")
)

// Chain is what a follower remembers of a history to recognise that a log still
// continues it: the position it has reached, and the digests of the last
// ChainLength entries. The zero value stands before the first entry of any
// history. It is not safe for concurrent use.
type Chain struct {
	head  Position
	links []Link // of the last entries, in ascending order, not more than 2 * ChainLength
}

// NewChain returns a chain that stands at head and remembers nothing before it.
func NewChain(head Position) *Chain {
	return &Chain{head: head, links: []Link{head.Link()}}
}

// Head returns the position that was reached.
func (c *Chain) Head() Position { return c.head }

// Extend moves the chain on by one valid entry. It refuses, and stays where it
// is, with [ErrGap] when the entry before r is after the head, and with
// [ErrDifferentHistory] when it is another one than the head, or r changes the
// epoch without being an epoch entry.
func (c *Chain) Extend(r Record) error {
	switch {
	case r.Prev.Revision > c.head.Revision:
		return fmt.Errorf("revision %d follows revision %d, revision %d is the last here: %w",
			r.Revision, r.Prev.Revision, c.head.Revision, ErrGap)
	case r.Prev != c.head.Link():
		return fmt.Errorf("revision %d follows revision %d %s, revision %d here is %s: %w",
			r.Revision, r.Prev.Revision, r.Prev.Digest, c.head.Revision, c.head.Digest, ErrDifferentHistory)
	case r.Epoch != c.head.Epoch && r.Kind != document.KindEpoch:
		return fmt.Errorf("revision %d belongs to epoch %s, revision %d to %s: %w",
			r.Revision, r.Epoch.Short(), c.head.Revision, c.head.Epoch.Short(), ErrDifferentHistory)
	}
	c.head = r.Position()
	if len(c.links) >= 2*ChainLength {
		c.links = append(c.links[:0], c.links[len(c.links)-ChainLength+1:]...)
	}
	c.links = append(c.links, c.head.Link())
	return nil
}

// After returns the first entry after a revision, zero if there is none or it is not
// held any more.
func (c *Chain) After(revision uint64) Link {
	i := sort.Search(len(c.links), func(i int) bool { return c.links[i].Revision > revision })
	if i == len(c.links) || i == 0 {
		return Link{}
	}
	return c.links[i]
}

// Compare tells whether another follower's position can belong to the history
// the chain remembers. It returns [ErrDifferentHistory] when another digest or
// epoch stands at a revision that is held here, and nil when the position
// agrees or cannot be compared because it lies outside of what is held.
func (c *Chain) Compare(p Position) error {
	i := sort.Search(len(c.links), func(i int) bool { return c.links[i].Revision >= p.Revision })
	if p.Revision == 0 || i == len(c.links) || i == 0 && c.links[0].Revision != p.Revision {
		return nil
	}
	if c.links[i].Revision != p.Revision {
		return fmt.Errorf("revision %d is an entry elsewhere and none here: %w", p.Revision, ErrDifferentHistory)
	}
	if held := c.links[i].Digest; held != p.Digest {
		return fmt.Errorf("revision %d is %s elsewhere and %s here: %w", p.Revision, p.Digest, held, ErrDifferentHistory)
	}
	if p.Revision == c.head.Revision && p.Epoch != c.head.Epoch {
		return fmt.Errorf("revision %d belongs to epoch %s elsewhere and %s here: %w",
			p.Revision, p.Epoch.Short(), c.head.Epoch.Short(), ErrDifferentHistory)
	}
	return nil
}
