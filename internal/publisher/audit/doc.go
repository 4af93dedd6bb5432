// Package audit exports the history of an environment, with what proves it, and verifies such an export with nothing but a trust file.
//
// An export is JSON Lines: a header, the records of CONTROL, of the ledger and of the log, each with its stored bytes and its proof, and at the
// end a signed checkpoint. What is not stored but derived, such as the differences between documents, is there for people and is not
// proved: a verifier does not look at it.
package audit
