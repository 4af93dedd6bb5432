// Package provision makes the Secrets that an installation in Kubernetes needs, and keeps those that are there: a CA and certificates, the keys
// of the publishers, an API token, the NATS users, and the credentials of sidecars.
//
// What decides is what the Secrets hold, never a record of what was done. So a run that was interrupted is completed by the next, and a run that
// finds everything changes nothing. What is secret is stored before anything refers to it: the root key before the keys that it signs, the seed
// of a NATS user before its public key.
package provision
