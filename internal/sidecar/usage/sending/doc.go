// Package sending brings what a sidecar counted to the publishers. What cannot be sent is kept, on disk if there is a data directory, until it
// can; what there is no room for is dropped, the oldest first, and the next report says how much that was. Evaluations know nothing of it.
package sending
