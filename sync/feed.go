package flagsync

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

// fed takes a message of the feed, and those that have come meanwhile.
func (s *following) fed(msg *nats.Msg) {
	for range feedDrain {
		s.take(msg)
		select {
		case msg = <-s.feed:
		default:
			return
		}
	}
}

func (s *following) take(msg *nats.Msg) {
	m, err := directMessage(msg)
	if err != nil {
		s.current.LastError = fmt.Errorf("feed: %w", err)
		return
	}
	switch received := s.received(); {
	case s.blocked():
		s.head = max(s.head, m.Sequence) // a fill brings it again
	case m.Sequence <= received:
		s.compareHeld(m)
	case m.Sequence == received+1:
		s.receive(m)
	default:
		if !s.fill.active() && !s.inquiry.active() {
			s.current.Gaps++
			s.fill.restart(time.Now())
		}
		s.keep(m)
	}
}

// keep puts an entry aside until what is missing before it has come.
func (s *following) keep(m storedMessage) {
	s.head = max(s.head, m.Sequence)
	_, held := s.buffer[m.Sequence]
	if held || len(s.buffer) >= bufferEntries || s.bufferBytes+len(m.Data) > bufferBytes {
		return
	}
	s.buffer[m.Sequence] = m
	s.bufferBytes += len(m.Data)
}

// compareHeld looks whether an entry that we are past is the one we know.
func (s *following) compareHeld(m storedMessage) {
	p := changelog.Position{Epoch: s.chain.Head().Epoch, Revision: m.Sequence, Digest: changelog.Sum(m.Data)}
	if err := s.chain.Compare(p); err != nil {
		s.suspect(err)
	}
}

// receive takes the next entry, and those put aside that follow it. It reports
// whether it fits; whatever does not is a matter for the leader.
func (s *following) receive(m storedMessage) bool {
	if err := s.extend(m); err != nil {
		s.suspect(err)
		return false
	}
	for {
		next, ok := s.buffer[s.received()+1]
		if !ok {
			return true
		}
		if err := s.extend(next); err != nil {
			s.suspect(err)
			return false
		}
	}
}

// extend moves the received cursor on by one entry.
func (s *following) extend(m storedMessage) error {
	r, err := m.record()
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if r.Renews() {
		return fmt.Errorf("%w: revision %d", errRenewed, r.Revision)
	}
	epoch := s.chain.Head().Epoch
	if err := s.chain.Extend(r); err != nil {
		return err
	}
	if r.Epoch != epoch && epoch != "" {
		s.epochs[epoch] = true
		s.log.Info().Str("epoch", r.Epoch.Short()).Uint64("revision", r.Revision).Msg("a new epoch begins")
		s.head = r.Revision // the head that was known belongs to the old one
	}
	s.newest = takenEntry{s.chain.Head(), m.Taken}
	s.head = max(s.head, r.Revision)
	s.fill.still = time.Time{}
	if kept, ok := s.buffer[r.Revision]; ok {
		delete(s.buffer, r.Revision)
		s.bufferBytes -= len(kept.Data)
	}
	s.assemble(r)
	return nil
}

func (s *following) assemble(r changelog.Record) {
	transaction, err := s.assembler.Add(r)
	if errors.Is(err, changelog.ErrFragment) {
		s.fragment(r, err)
	}
	s.openOp = ""
	switch {
	case transaction != nil:
		s.ready = append(s.ready, transaction)
	case err == nil || r.Index == 1:
		s.openOp = r.OpID
	}
}

// fragment counts an interrupted transaction, once for all of its entries.
func (s *following) fragment(r changelog.Record, err error) {
	op := s.openOp
	if op == "" {
		op = r.OpID
	}
	if op == s.current.LastFragment {
		return
	}
	s.current.LastFragment = op
	s.current.Fragments++
	s.log.Warn().Err(err).Str("op", op).Msg("a fragment of a transaction is dropped: something writes to the log that is no publisher")
}
