// Package changelog defines what is written to an environment's change log:
// entries, the transactions they form, the digests that chain them, positions
// in a history, and snapshots of the state they add up to.
//
// It knows bytes only. How they travel is the business of package flagsync,
// what they mean to an evaluation that of package eval.
package changelog
