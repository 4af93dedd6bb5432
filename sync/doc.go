// Package flagsync carries an environment's change log over NATS JetStream. It holds what both sides of the log need: the connection, the
// accounts and permissions of NATS users, and the errors that both return.
//
// Sidecars and publishers that want to know the state of an environment keep a target current with package follow. Publishers append
// with package writer. What the log holds is defined by package changelog, how it travels by docs/protocol.md.
package flagsync
