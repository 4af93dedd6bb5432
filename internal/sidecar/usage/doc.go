// Package usage counts what a sidecar answers: how often each flag gave each variant, for which reason and by which of its rules, and to
// which application. It knows nothing of who was asked about: no targeting key and no evaluation context comes here.
//
// # Memory
//
// A Counts has room for a bounded number of series. What does not fit is counted with less said about it: first without the application,
// then without the flag. Nothing is dropped, so the sum is always the number of evaluations. A series keeps the names that are told of and
// nothing else of a flag, so versions that were replaced can go.
//
// # Concurrency properties
//
// A [Counts] is safe for concurrent use. Counting what was counted before takes no lock and allocates nothing; the first evaluation of a
// series does both. A [Bulk] belongs to one goroutine.
package usage
