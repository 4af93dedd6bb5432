// Package writer is the publisher's side of the change log: it appends changes, keeps the list of environments, the ledgers and what is
// known about people, begins new epochs, announces the head in heartbeats and publishes snapshots. Sidecars do not link it.
package writer
