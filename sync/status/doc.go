// Package status carries what sidecars say about themselves to publishers: who
// they are, what they serve, and that they end. Each message is one report, sent
// once over core NATS without waiting for anything.
//
// A report is a claim: everyone who holds the credentials of an environment can
// make any. Reports decide nothing about flags.
package status
