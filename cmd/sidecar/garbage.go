package main

import (
	"runtime/debug"
	"runtime/metrics"
)

// How much garbage may stand beside what is in use, in percent. A start is to be quick; after it, the process is to be small beside its
// application, and collecting more often costs little, because evaluations allocate nothing. GOGC overrides both.
const (
	startGarbagePercent = 150
	garbagePercent      = 50
	leastGarbagePercent = 20 // with less, collecting would cost more than memory does
)

// enoughGarbage is how many bytes of garbage are enough where more would be allowed.
const enoughGarbage = 32 << 20

// limitGarbage bounds the garbage by what was in use when it was collected last.
func limitGarbage() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(garbageBeside(live[0].Value.Uint64()))
}

// garbageBeside returns in percent how much garbage may stand beside so many bytes that are in use.
func garbageBeside(live uint64) int {
	return max(leastGarbagePercent, min(garbagePercent, int(enoughGarbage*100/max(live, 1)))) // #nosec G115 -- at most 100 times enoughGarbage
}
