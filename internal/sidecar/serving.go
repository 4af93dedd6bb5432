package sidecar

import (
	"time"

	"github.com/flagside/flagside/cache"
)

// servingState says what answers come from. /status, metrics, conditions and explanations all have it from here.
type servingState string

// The serving states, the best first.
const (
	servingLive      servingState = "live"      // memory, confirmed to be the newest state not long ago
	servingMemory    servingState = "memory"    // memory that was complete once, but nothing confirms it now, or that is not the state that was signed
	servingDisk      servingState = "disk"      // the files of an earlier process
	servingBootstrap servingState = "bootstrap" // the bootstrap file
	servingEmpty     servingState = "empty"     // nothing
)

func servingStates() []servingState {
	return []servingState{servingLive, servingMemory, servingDisk, servingBootstrap, servingEmpty}
}

// liveLimit is how long ago knowledge may have been confirmed to count as live: three missed heartbeats, and then the longest time until a
// barrier of the follower itself.
const liveLimit = 15 * time.Second

// serving returns what answers come from.
func (f *facts) serving() servingState {
	switch f.source {
	case cache.SourceDisk:
		return servingDisk
	case cache.SourceBootstrap:
		return servingBootstrap
	case cache.SourceEmpty:
		return servingEmpty
	default:
	}
	if f.log.Connected && f.log.DifferentState == nil && f.log.AgeKnown && f.log.Age <= liveLimit && !f.refuses(leaderBreaker) {
		return servingLive
	}
	return servingMemory
}

// leaderBreaker is the name of the breaker of barriers.
const leaderBreaker = "leader"

// refuses reports whether a breaker lets nothing pass.
func (f *facts) refuses(name string) bool {
	for _, b := range f.breakers {
		if b.Name == name {
			return b.State != "closed"
		}
	}
	return false
}
