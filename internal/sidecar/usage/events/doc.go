// Package events keeps what a sidecar tells one by one until it is reported: exposures, which say that a subject was given a variant of a flag
// that asks for them, and outcomes, which applications tell. Targeting keys come here and leave as hashes with the environment's key.
//
// # Memory
//
// A Recorder keeps at most 20,000 exposures and 10,000 outcomes, 4 MiB of them, until they are collected. What is beyond is refused, and counted
// as lost. So is what goes beyond an hour's share of [Options].Rate, so that an application that tells of ever new subjects does not make a sidecar send
// without bound. It remembers the last 65,536 pairs of flag and subject for 24 hours, by a random hash that is of no use elsewhere.
//
// # Concurrency properties
//
// A [Recorder] is safe for concurrent use. An exposure that was noted before costs a hash of the targeting key, and a lock that is held for a
// look into a map; it allocates nothing.
package events
