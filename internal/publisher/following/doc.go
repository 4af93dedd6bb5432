// Package following keeps environments as sources say: files that are mounted, and objects of Kubernetes. The publisher follows them itself.
//
// A Follower reads one source, plans with package source what its environment needs, and carries that out through the environment's Service as a
// principal of its own, under the policies that hold for everyone. What it owns is read-only for others. A version is taken whole or not at all; what
// cannot be read, or is wrong, changes nothing, and is a condition.
//
// Several publishers follow the same source. Each plans on the newest state and appends with a compare-and-set, so they repeat nothing; and which
// version counts, where they see different ones, the ledger says.
//
// # Concurrency properties
//
// A Follower is safe for concurrent use, but Run may be called only once.
package following
