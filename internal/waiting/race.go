//go:build race

package waiting

// RaceDetector is whether the race detector watches the tests. It makes them slow, so that more of them at once would only be late.
const RaceDetector = true
