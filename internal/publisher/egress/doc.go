// Package egress says to which addresses a publisher sends what it is told to send: to webhooks, and to sinks of usage. Addresses are written in files of
// an operator, but names resolve to what others say, and a publisher stands where it reaches more than they do.
//
// # Concurrency properties
//
// Everything here is safe for concurrent use.
package egress
