// Package keys keeps the keys of an installation in a directory: the root key, which signs the list of signing keys; the signing key,
// with which publishers sign the change log; that list, the keys note; and the trust file, which sidecars pin.
//
// Every change of the directory can be interrupted anywhere: what is there stays usable, and the same command, given again, completes it.
// The keys note is the one decision in it: the files of keys follow it, and the trust file comes last.
package keys
