// Package answering tells publishers what a change would do to the evaluations that a sidecar remembers: it evaluates them as things are and as they
// would be, and answers with counts. Applications do not wait for it: it works in one goroutine, in slices of a millisecond, within a budget.
package answering
