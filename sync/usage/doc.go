// Package usage carries what sidecars counted to publishers: how often flags were
// evaluated, without a word about whom for. Each message is one report over a short
// time, which a stream of the publishers stores and acknowledges.
//
// A report is a claim: everyone who holds the credentials of an environment can make
// any.
package usage
