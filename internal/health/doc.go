// Package health names everything that can be wrong with a running program.
//
// A condition has a code for machines, a severity, and a sentence for people that says what happens and what to do. All of them stand
// in one catalogue; docs/operations.md has a section for each. A Tracker holds the ones that are active.
package health
