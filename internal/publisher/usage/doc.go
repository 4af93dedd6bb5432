// Package usage folds what sidecars report into series: how often each flag gave each variant, by minute, hour and day, and when it was
// evaluated last. It is pure: no clock, no input, no output.
//
// # Conservation
//
// The sum of a segment is the sum of all reports that were folded into it, whatever there was no room to tell apart. A report that comes
// twice is folded once: each process numbers its reports and sends them in order, so one with a number that is not above the last is
// known.
//
// # Concurrency properties
//
// Nothing here is safe for concurrent use, except what the comment of a type says is.
package usage
