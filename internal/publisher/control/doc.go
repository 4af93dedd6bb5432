// Package control turns commands of people and programs into changes of an environment's log.
//
// Decide is pure: from the state of an environment and a command it derives the documents to write, or a Refusal. A Service does the
// rest: it makes sure that the state is current, appends what was decided with a compare-and-set on that state, and decides again
// when another publisher was faster. What a command may do is therefore decided in one place, and never on stale knowledge.
//
// What needs the consent of others is a change request. DecideRequest is pure as well: from the Governance, which is the sum of the records
// in the ledger of the environment, and a RequestCommand it derives the next record. A request is applied in three steps that any publisher
// can take: a claim in the ledger, the change in the log under the id of the request, and the record of what became of it, which Conclude
// derives from the log alone.
//
// # Concurrency properties
//
// A Service is safe for concurrent use; commands for one environment are carried out one after the other. Everything else in the
// package is a value.
package control
