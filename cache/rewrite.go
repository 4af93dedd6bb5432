package cache

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// When the snapshot is written again: the tail is to stay short, because a
// start reads all of it.
const (
	maxTailSize = 1 << 20
	maxTailAge  = time.Minute
	retryDelay  = 10 * time.Second // after a failure
)

// pending is what the disk does not hold in a snapshot yet.
type pending struct {
	maxTailSize int64
	maxTailAge  time.Duration
	retryDelay  time.Duration

	stored    changelog.Position // of the newest snapshot
	since     time.Time          // of the first change after it; zero if there is none
	urgent    bool
	notBefore time.Time // earliest next attempt
	recording bool      // while a snapshot is written, records go to both tails
	recorded  []byte
}

func newPending() pending {
	return pending{maxTailSize: maxTailSize, maxTailAge: maxTailAge, retryDelay: retryDelay}
}

// hurry asks for a snapshot as soon as possible.
func (p *pending) hurry() {
	p.urgent = true
	p.begin()
}

func (p *pending) begin() {
	if p.since.IsZero() {
		p.since = time.Now()
	}
}

// Run writes the snapshot when the tail has grown to 1 MB or is a minute old,
// once the state is complete for the first time, and a last time when ctx ends.
// Beside it, it keeps when the state was complete. It then returns nil: what the
// disk refuses is a condition.
func (s *Store) Run(ctx context.Context) error {
	var keeping sync.WaitGroup
	keeping.Go(func() { s.keepComplete(ctx) })
	for s.waitForRewrite(ctx) {
		s.rewrite()
	}
	s.rewrite()
	keeping.Wait()
	s.writeComplete()
	return nil
}

// waitForRewrite returns true when a snapshot is due, false when ctx has ended.
func (s *Store) waitForRewrite(ctx context.Context) bool {
	for ctx.Err() == nil {
		wait := s.untilRewrite()
		if wait <= 0 {
			return true
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	return false
}

func (s *Store) untilRewrite() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.pending
	if s.unstored() == nil {
		return math.MaxInt64
	}
	due := p.since.Add(p.maxTailAge)
	if p.urgent || s.disk.tail == nil || s.disk.tailSize >= p.maxTailSize {
		due = p.since
	}
	if due.Before(p.notBefore) {
		due = p.notBefore
	}
	return time.Until(due)
}

func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // Run has not looked at the last one yet
	}
}

// unstored returns the View that the disk lacks a snapshot of, or more than
// that, nil if it lacks nothing.
func (s *Store) unstored() *View {
	v := s.view.Load()
	if s.disk == nil || v == nil || v.Position().IsZero() || v.Position() == s.pending.stored {
		return nil
	}
	return v
}

// rewrite brings the snapshot up to date. Changes go on meanwhile.
func (s *Store) rewrite() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.unstored()
	if v == nil {
		return
	}
	s.record(v)
	s.mu.Unlock()
	err := s.writeSnapshot(v)
	s.mu.Lock()
	s.finish(v, err)
}

// store writes a snapshot of v, which is not shown yet. Both locks are held.
func (s *Store) store(v *View) {
	if s.disk == nil || v.Position().IsZero() {
		return
	}
	s.pending.recording, s.pending.recorded = true, nil
	s.finish(v, s.writeSnapshot(v))
}

// record begins to keep what is applied while a snapshot of v is written.
func (s *Store) record(v *View) {
	s.pending.recording, s.pending.recorded = true, nil
	if !s.pending.stored.IsZero() || s.disk.lock == nil || s.disk.tail != nil {
		return
	}
	// The first snapshot has no tail before it. Without one, a process that
	// ends just after the snapshot is in its place forgets what it has served.
	if err := s.startTail(v.Position(), nil); err != nil {
		s.conditions.raise(s.failureCode(), err)
	}
}

func (s *Store) writeSnapshot(v *View) error {
	if err := s.disk.acquire(); err != nil {
		return err
	}
	return s.disk.writeSnapshot(v)
}

// finish begins the tail of the snapshot of v, if that was written.
func (s *Store) finish(v *View, err error) {
	p := &s.pending
	recorded, complete := p.recorded, p.recording
	p.recording, p.recorded = false, nil
	if err == nil && complete {
		err = s.startTail(v.Position(), recorded)
	}
	if err != nil {
		s.conditions.raise(s.failureCode(), err)
		p.notBefore = time.Now().Add(p.retryDelay)
		return
	}
	s.conditions.clear(CodeDiskUnavailable)
	s.conditions.clear(CodeDiskBehind)
	p.stored, p.urgent, p.since, p.notBefore = v.Position(), false, time.Time{}, time.Time{}
	if len(recorded) > 0 || !complete {
		p.begin()
	}
}

func (s *Store) failureCode() Code {
	if s.disk.lock == nil {
		return CodeDiskUnavailable
	}
	return CodeDiskBehind
}

func (s *Store) startTail(p changelog.Position, records []byte) error {
	header, err := encodeTailHeader(s.environment, p)
	if err != nil {
		return err
	}
	return s.disk.startTail(append(header, records...))
}

// appendToTail stores changes before they are shown. Without a tail there is
// nothing that they could continue: the next snapshot will hold them.
func (s *Store) appendToTail(after changelog.Position, changes []change) {
	if s.disk == nil {
		return
	}
	defer s.signal()
	s.pending.begin()
	records, err := appendTailRecords(nil, after, changes)
	if err == nil && s.pending.recording {
		s.pending.recorded = append(s.pending.recorded, records...)
	}
	if err != nil {
		s.disk.closeTail()
		s.pending.recording = false
	} else if s.disk.tail != nil {
		err = s.disk.appendTail(records)
	}
	if err != nil {
		s.conditions.raise(CodeDiskBehind, err)
	}
}
