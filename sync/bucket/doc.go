// Package bucket keeps small values for some hours in a stream of the account of publishers, by a key, until each expires or is taken out. It is for
// what proves nothing and is in no backup: sessions of people. Streams of the log are none of it, and neither are sidecars, which cannot reach that
// account's JetStream.
//
// What is stored can be changed by anyone who has a publisher's credential for NATS: a reader must find out by other means whether it is to be
// believed.
//
// # Concurrency properties
//
// A Bucket is safe for concurrent use.
package bucket
