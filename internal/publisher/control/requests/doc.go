// Package requests holds the state of the change requests of an environment, and what events do to it. The ledger of the environment has the
// events; the state is their sum. Whether an event may be recorded is decided elsewhere.
//
// The package is pure. A Governance is not safe for concurrent use; everything else is a value.
package requests
