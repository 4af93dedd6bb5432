// Package control carries out commands of people and programs on an environment's log and ledger.
//
// What is decided stands in packages of values below: decide turns a command and a state into a decision, risk judges what a change would do,
// requests holds the state of change requests and what events do to it. A Service does the rest: it makes sure that the state is current, appends
// what was decided with a compare-and-set on that state, and decides again when another writer was faster. What a command may do is therefore
// decided in one place, and never on stale knowledge.
//
// A change request is applied in three steps that any publisher can take: a claim in the ledger, the change in the log under the id of the
// request, and the record of what became of it, which the log alone tells.
//
// # Concurrency properties
//
// A Service is safe for concurrent use; commands for one environment are carried out one after the other.
package control
