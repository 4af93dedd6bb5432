// Package webhook tells receivers over HTTP what happens in environments: changes, steps of change requests, refusals and administration.
//
// Every publisher copies the activity of an environment into a queue, EVENTS_<env>, by compare-and-set, so that each event is there once. Each webhook has
// a durable consumer there, which publishers share: an event goes to one of them, and the next one only when the receiver has answered with 2xx. So events
// arrive at least once and in order, whichever publisher ends when.
//
// # Concurrency properties
//
// A Service is safe for concurrent use. Run may be called once.
package webhook
