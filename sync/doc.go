// Package flagsync carries an environment's change log over NATS JetStream.
//
// Publishers append to it with [Log], create environments with [Environments]
// and announce its head with a [Beater]. Everybody who wants to know the state
// of an environment, sidecar or publisher, keeps a [Target] current with a
// [Follower].
//
// What the log holds is defined by package changelog, how it travels by
// docs/protocol.md.
package flagsync
