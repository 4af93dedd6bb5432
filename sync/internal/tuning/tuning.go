// Package tuning holds what tests of the log shorten: when its parts act. Nothing outside of sync can name these types, so that nothing
// else changes them.
package tuning

import "time"

// Follower is when a follower acts.
type Follower struct {
	HeartbeatTimeout time.Duration // without a heartbeat: ask the leader
	OwnBarrier       time.Duration // how often, while there is no heartbeat
	AskLeader        time.Duration // a fill stands still: ask the leader about it
	Standstill       time.Duration // a fill stands still: the log has a hole
	Recheck          time.Duration // how often what keeps the follower from going on is looked at again
	ApplyRetry       time.Duration // after the target refused to apply
	Reconnect        time.Duration // least time between forced reconnects
	StateCheck       time.Duration // how often the state is compared with the one that was signed

	SnapshotGain uint64 // entries that a published snapshot must save at least
}

// Snapshots is when a publisher publishes a snapshot.
type Snapshots struct {
	Look    time.Duration // how often it is looked whether one is due; up to twice as long, so that publishers take turns
	Idle    time.Duration // how long the log must not have grown
	Entries uint64        // more than the newest snapshot has
	Bytes   uint64        // the same in bytes of the log
	Purge   time.Duration // how long what was replaced can still be read
}
