// Package series keeps what publishers fold out of the reports of sidecars: it reads the reports from one stream of the account of publishers,
// and writes what they make of it to another, where each document is replaced as a whole. Documents and the place that they cover are
// written together or not at all, and only behind what the writer has read, so that no report is folded twice when others write too.
//
// What is in the documents is not known here. Sidecars cannot reach the JetStream of that account; they only send reports into it.
//
// # Concurrency properties
//
// A Store is safe for concurrent use.
package series
