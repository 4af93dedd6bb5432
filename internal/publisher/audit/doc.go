// Package audit exports the history of an environment, with what proves it, and verifies such an export with nothing but a trust file.
//
// An export is JSON Lines: a header, the records of CONTROL if it was asked for, of the ledger and of the log, each with its stored bytes and
// its proof, and at the end a signed checkpoint. The fields that entries changed are derived, for people; a verifier derives them again from
// the documents. When a stream took a record ("stored") and when the export was made ("time" of the header) is what the server and the
// publisher said: nothing proves it.
package audit
