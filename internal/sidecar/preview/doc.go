// Package preview remembers a bounded random sample of the evaluations that a sidecar has answered lately, with their contexts, for the question what a
// change would do to them.
//
// Contexts of applications stay in the memory of the process. They are in no answer to publishers, log, metric or file, and are overwritten when it ends
// in order.
//
// # Concurrency properties
//
// A [Reservoir] is safe for concurrent use. Evaluations wait for nothing: what cannot be kept at once is not kept.
package preview
