//go:build race

package waiting

// computing is whether tests compute so much that more of them at once would only be late: the race detector makes them slow.
const computing = true
