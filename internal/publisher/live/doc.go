// Package live tells browsers at once what moved in environments, by one stream of server-sent events for all that they look at: which documents a change
// was about and who made it, never the documents themselves, and that a change request took a step. A browser that comes back says with Last-Event-ID where
// it was, and is told what it missed, or that this cannot be told.
//
// # Concurrency properties
//
// Streams is safe for concurrent use.
package live
