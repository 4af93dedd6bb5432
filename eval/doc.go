// Package eval turns flag documents into a compiled, immutable Ruleset and evaluates flags against it.
//
// Documents are flagd's flag definitions plus a few fields of our own. The package is pure: it does no I/O, reads no clock and
// writes no log; everything it has to say is in the values that it returns.
//
// # Concurrency properties
//
// A Ruleset and every Flag, Variant and byte slice reached from it are immutable and may be shared between goroutines without
// synchronisation. A Context belongs to one goroutine at a time.
package eval
