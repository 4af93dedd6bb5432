// Package decide turns what is asked for and what is known into decisions: a Command and a State into the documents to write, a RequestCommand
// and the state of change requests into the event to record. The error is a *Refusal, or one of Principals.
//
// A change is compiled once, into a Candidate that its decision carries: policies, risk, what a proposal is bound to and its warnings come from
// there.
//
// The package is pure: it reads no clock, waits for nothing, and does no input or output. What it needs of principals it asks Principals, which
// answer from memory. Everything in it is a value.
package decide
