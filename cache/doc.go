// Package cache holds what a sidecar knows of its environment: the documents
// and the rules compiled from them as an immutable [View], and their copy on
// disk, so that a restart begins where the last process ended.
//
// # Concurrency properties
//
// A [View] is immutable. [Store.View], [Store.Source], [Store.Since] and
// [Store.Problems] may be called from any goroutine and never wait for a disk
// or a compilation. What changes the state ([Store.Restore],
// [Store.LoadBootstrap], [Store.Apply], [Store.Load], [Store.Synced]) belongs to
// one goroutine at a time. [Store.Run] runs beside it.
//
// # Durability
//
// A change is written to the tail file before the View that shows it, so a
// process that is killed and started again never answers from an older state
// than it did before. The tail is not synced: after a power failure its end may
// be missing, never wrong. When the disk fails the Store goes on from memory
// and says so in [Store.Problems].
//
// # Proof
//
// Files are believed by their proof: what [Store.Restore] shows is a state that a
// key of the newest known keys note signed for this environment, and a last good
// version is served only if it belonged to such a state. Everything else is a
// condition, and is put aside. Freshness is not proved: an older state that was
// true once is shown until the log says more.
package cache
