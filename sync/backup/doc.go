// Package backup copies the streams of an installation message by message: into one file, out of it, and from one NATS server to another.
//
// The file holds what the streams hold, as they hold it: sequences, subjects, headers and bytes. It proves nothing beyond what publishers signed;
// its checksums tell that it is whole. See docs/adr/0016-a-backup-is-the-messages.md.
package backup
