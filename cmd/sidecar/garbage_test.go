package main

import "testing"

func TestGarbageIsBounded(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 50, 3 << 20: 50, 64 << 20: 50, 128 << 20: 25, 1 << 30: 20} {
		if got := garbageBeside(live); got != want {
			t.Errorf("%d MiB: %d percent, want %d", live>>20, got, want)
		}
	}
}
