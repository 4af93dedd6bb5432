package cache

import (
	"fmt"

	"github.com/flagside/flagside/sync/changelog"
)

// Apply applies whole transactions in the order of the log: readers see the View
// with all of one or with nothing of it. Without a state to
// continue, they are gathered and become visible with Synced. It refuses
// transactions that lie before Position, and then applies none.
func (s *Store) Apply(txs []changelog.Transaction) error {
	if len(txs) == 0 {
		return nil
	}
	changes := make([]change, len(txs))
	for i, tx := range txs {
		changes[i] = changeOf(tx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	view := s.view.Load()
	if s.next == nil && (view == nil || view.Position().IsZero()) {
		s.next = newDraft(emptyState())
	}
	if s.next != nil {
		if err := inOrder(s.next.head.Position, changes); err != nil {
			return err
		}
		s.next.apply(changes)
		return nil
	}
	if err := inOrder(view.Position(), changes); err != nil {
		return err
	}
	s.appendToTail(view.Position(), changes)
	for _, step := range s.steps(changes) {
		before := s.view.Load()
		s.follow(before, before.with(step), step)
	}
	return nil
}

// steps divides changes into those that become visible together. The last ones are apart where past Views are kept, so that each of their revisions can be
// asked for; there is no need of others, which would be forgotten at once.
func (s *Store) steps(changes []change) (steps [][]change) {
	together := max(len(changes)-s.most, 0)
	if s.most == 0 {
		together = len(changes)
	}
	if together > 0 {
		steps = append(steps, changes[:together])
	}
	for i := range changes[together:] {
		steps = append(steps, changes[together+i:][:1])
	}
	return steps
}

func inOrder(at changelog.Position, changes []change) error {
	for _, c := range changes {
		if c.head.Revision <= at.Revision {
			return fmt.Errorf("apply: revision %d is not after revision %d", c.head.Revision, at.Revision)
		}
		at = c.head.Position
	}
	return nil
}

// Load replaces everything by a snapshot of the environment, which may belong
// to another history or lie before Position: that is the caller's decision. It
// becomes visible at once if the state was complete before, else with Synced.
// After an error everything is as it was. The reader is the caller's to close.
func (s *Store) Load(r *changelog.SnapshotReader) error {
	loaded, err := readState(r, s.environment)
	if err != nil {
		return fmt.Errorf("load snapshot: %w", err)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = newDraft(loaded)
	if s.synced {
		s.show()
	}
	return nil
}

// Synced says that everything up to a confirmed head was applied: what was
// gathered becomes the View, and the source is live from now on. It does
// nothing before the first entry is applied, because every history begins with
// one, so nothing is known of a log without.
func (s *Store) Synced() {
	if s.settled() || s.Position().IsZero() {
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		s.show()
	}
	if !s.synced {
		s.synced = true
		s.setSource(SourceLive)
		s.pending.hurry()
		s.signal()
	}
}

// settled reports whether Synced has nothing to do, without waiting for a
// snapshot that is being written.
func (s *Store) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced && s.next == nil
}

// show makes the View of what was gathered. If an earlier process or an earlier
// state would be seen again after a restart, the new one is on disk before it
// is shown. Both locks are held.
func (s *Store) show() {
	before := s.view.Load()
	stored := before != nil && s.Source() != SourceBootstrap
	if !stored {
		before = s.empty
	}
	next := before.replaced(s.next.freeze())
	s.next = nil
	if s.disk != nil {
		s.disk.closeTail() // it continues another state
	}
	if stored {
		s.store(next)
	}
	s.swap(next)
	s.pending.hurry()
	s.signal()
}
