//go:build !race

package waiting

// RaceDetector is whether the race detector watches the tests.
const RaceDetector = false
