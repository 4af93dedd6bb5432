// Package jetstream asks NATS JetStream for what both sides of the change log need: a connection that repairs itself, the calls that
// read and write streams, and the names and settings of the streams. Nothing else in sync knows the client library.
package jetstream
