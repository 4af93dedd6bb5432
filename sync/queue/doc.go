// Package queue keeps messages for some days in a stream of the account of publishers, where several publishers can append to it without ever doing so
// twice, and where each consumer gets all of them in their order. It is for what proves nothing and is derived from the log: outgoing events. Streams of the
// log are none of it, and neither are sidecars, which cannot reach that account's JetStream. A Place remembers how far such a stream was read that is not
// written here, as that of reports of usage.
//
// Unlike the log it uses nats.go's client for JetStream: what is read here decides nothing (docs/adr/0013-own-jetstream-client.md).
//
// # Concurrency properties
//
// A Queue, a Consumer and a Place are safe for concurrent use. A Delivery belongs to who got it.
package queue
