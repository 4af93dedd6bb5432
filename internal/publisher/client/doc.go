// Package client asks a publisher over its HTTP API, with a method for each operation and the types of package api.
//
// Errors are an [*Error] when the publisher refuses, and an [*Unanswered] when no answer comes. Answers are bounded, and no redirection is
// followed. A connection that the publisher has closed meanwhile is replaced without notice where that is safe: for reads, and for changes
// with an idempotency key. Everything else is sent once; the caller decides whether to repeat it.
//
// # Concurrency properties
//
// A Client is safe for concurrent use. It keeps a few connections open for a minute after their last use.
package client
