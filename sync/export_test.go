package flagsync

import "time"

// Timing lets tests shorten what a follower waits for.
type Timing struct {
	BeatTimeout, OwnBarrier, AskLeader, Standstill, Recheck, ApplyRetry, Reconnect time.Duration
}

// Tune changes the timing of a follower that does not run yet.
func (f *Follower) Tune(change func(*Timing)) {
	t := Timing{f.timing.beatTimeout, f.timing.ownBarrier, f.timing.askLeader, f.timing.standstill, f.timing.recheck, f.timing.applyRetry, f.timing.reconnect}
	change(&t)
	f.timing = timing{t.BeatTimeout, t.OwnBarrier, t.AskLeader, t.Standstill, t.Recheck, t.ApplyRetry, t.Reconnect}
}
