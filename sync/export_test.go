package flagsync

import (
	"context"
	"net"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// Timing lets tests shorten what a follower waits for.
type Timing struct {
	BeatTimeout, OwnBarrier, AskLeader, Standstill, Recheck, ApplyRetry, Reconnect, StateCheck time.Duration

	SnapshotGain uint64
}

// Tune changes the timing of a follower that does not run yet.
func (f *Follower) Tune(change func(*Timing)) {
	t := Timing{f.timing.beatTimeout, f.timing.ownBarrier, f.timing.askLeader, f.timing.standstill, f.timing.recheck, f.timing.applyRetry, f.timing.reconnect, f.timing.stateCheck, f.timing.snapshotGain}
	change(&t)
	f.timing = timing{t.BeatTimeout, t.OwnBarrier, t.AskLeader, t.Standstill, t.Recheck, t.ApplyRetry, t.Reconnect, t.StateCheck, t.SnapshotGain}
}

// Keys returns what a connection believes.
func (c *Conn) Keys() *changelog.Keyring { return c.keys }

// Turns returns how often the loop of Run has gone round.
func (f *Follower) Turns() uint64 { return f.turns.Load() }

// Hasten makes a snapshotter that does not run yet publish after so many
// entries, and purge soon.
func (s *Snapshotter) Hasten(entries uint64) {
	s.policy = snapshotPolicy{
		look: 10 * time.Millisecond, idle: 20 * time.Millisecond, entries: entries, bytes: 1 << 30, purge: 50 * time.Millisecond,
	}
}

// PurgeSnapshots frees what no manifest names any more.
func (l *Log) PurgeSnapshots(ctx context.Context) error { return l.purgeSnapshots(ctx) }

// Greeted gives a connection up that does not begin with a greeting in time, as
// those over the network are.
func Greeted(c net.Conn) net.Conn { return &greetedConn{Conn: c} }

// Committed takes note of a change of the log, as an append does that has only now
// found out what became of it.
func (l *Log) Committed(tx changelog.Transaction) Outcome { return (&appending{log: l}).committed(tx) }

// ErrHole is the cause of errors where the log lacks a message.
var ErrHole = errHole

// NewLog returns a log whose streams are not looked at.
func NewLog(c *Conn, o LogOptions) *Log { return newLog(Use(c), o) }
