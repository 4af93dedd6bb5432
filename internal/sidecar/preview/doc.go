// Package preview tells publishers what a change would do to the evaluations that a sidecar has answered lately. A [Reservoir] keeps a bounded
// random sample of them in memory, and an [Answerer] evaluates it again as if the change were made, and answers with counts.
//
// Contexts of applications stay in the memory of the process. They are in no answer, log, metric or file, and are overwritten when it ends in order.
//
// # Concurrency properties
//
// Evaluations take no lock that anything else holds for long: what cannot be kept at once is not kept.
package preview
