package changelog

import (
	"errors"
	"testing"
)

func extend(tb testing.TB, c *Chain, r Record) {
	tb.Helper()
	if err := c.Extend(r); err != nil {
		tb.Fatal(err)
	}
}

func TestChainFollowsALog(t *testing.T) {
	l := emptyLog(t)
	var c Chain
	extend(t, &c, l.beginEpoch(t, epochA))
	for range 5 {
		extend(t, &c, l.put(t, "op", 1, 1))
	}
	extend(t, &c, l.beginEpoch(t, epochB))
	extend(t, &c, l.put(t, "op", 1, 1))
	if c.Head() != l.head {
		t.Errorf("head %v, want %v", c.Head(), l.head)
	}
}

func TestChainRefuses(t *testing.T) {
	l := newLog(t)
	c := NewChain(l.head)
	next := l.put(t, "op", 1, 1)
	f := func(name string, want error, change func(*Record)) {
		t.Helper()
		r, before := next, c.Head()
		change(&r)
		if err := c.Extend(r); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", name, err, want)
		}
		if c.Head() != before {
			t.Errorf("%s: the chain has moved to %v", name, c.Head())
		}
	}
	f("an entry missing before", ErrGap, func(r *Record) { r.Prev.Revision++ })
	f("an earlier entry before", ErrDifferentHistory, func(r *Record) { r.Prev.Revision-- })
	f("another digest before", ErrDifferentHistory, func(r *Record) { r.Prev.Digest[0]++ })
	f("nothing before", ErrDifferentHistory, func(r *Record) { r.Prev = Link{} })
	f("another epoch", ErrDifferentHistory, func(r *Record) { r.Epoch = epochB })
	extend(t, c, next)
}

// The entries of a log name each other; noise between them takes revisions.
func TestChainSkipsRevisions(t *testing.T) {
	l := newLog(t)
	c := NewChain(l.head)
	l.next = 9
	extend(t, c, l.put(t, "op", 1, 1))
	if c.Head() != l.head || c.Head().Revision != 9 {
		t.Errorf("head %v, want %v", c.Head(), l.head)
	}
	between := Position{Epoch: epochA, Revision: 5, Digest: Sum(nil)}
	if err := c.Compare(between); !errors.Is(err, ErrDifferentHistory) {
		t.Errorf("an entry where none is here: error %v", err)
	}
}

func TestChainBeginsWithAnEpoch(t *testing.T) {
	l := newLog(t)
	r := l.put(t, "op", 1, 1)
	r.Prev = Link{}
	var c Chain
	if err := c.Extend(r); !errors.Is(err, ErrDifferentHistory) {
		t.Errorf("error %v, want a different history", err)
	}
}

// Compare finds every difference within the last 1024 entries, and says nothing
// about what is not held.
func TestChainCompare(t *testing.T) {
	for _, length := range []int{1, 5, ChainLength - 1, ChainLength, ChainLength + 1, 2*ChainLength + 7} {
		l := emptyLog(t)
		var c Chain
		positions := []Position{{}} // by revision
		extend(t, &c, l.beginEpoch(t, epochA))
		positions = append(positions, l.head)
		for len(positions) <= length {
			extend(t, &c, l.put(t, "op", 1, 1))
			positions = append(positions, l.head)
		}
		checkCompare(t, &c, positions, max(1, length-ChainLength+1), max(1, length-2*ChainLength+1))
	}
}

func TestNewChainRemembersItsHeadOnly(t *testing.T) {
	l := newLog(t)
	positions := []Position{{}, l.head}
	for len(positions) <= 100 {
		l.put(t, "op", 1, 1)
		positions = append(positions, l.head)
	}
	c := NewChain(l.head)
	checkCompare(t, c, positions, 100, 100)
	for len(positions) <= 100+ChainLength {
		extend(t, c, l.put(t, "op", 1, 1))
		positions = append(positions, l.head)
	}
	checkCompare(t, c, positions, 101, 100)
}

// checkCompare compares positions, given by revision, with and without a
// difference; first is the lowest revision that the chain must remember, oldest
// the lowest that it may.
func checkCompare(t *testing.T, c *Chain, positions []Position, first, oldest int) {
	t.Helper()
	for revision, p := range positions {
		if err := c.Compare(p); err != nil {
			t.Fatalf("revision %d of %d: %v", revision, len(positions)-1, err)
		}
		p.Revision = uint64(revision)
		p.Digest[5] ^= 1
		different := errors.Is(c.Compare(p), ErrDifferentHistory)
		if revision >= first && !different || revision < oldest && different {
			t.Fatalf("another revision %d of %d: found different %v", revision, len(positions)-1, different)
		}
	}
	head := c.Head()
	ahead := Position{Epoch: epochB, Revision: head.Revision + 1, Digest: Sum(nil)}
	if err := c.Compare(ahead); err != nil {
		t.Errorf("a position ahead: %v", err)
	}
	head.Epoch = epochB
	if err := c.Compare(head); !errors.Is(err, ErrDifferentHistory) {
		t.Errorf("another epoch at the head: error %v", err)
	}
}
