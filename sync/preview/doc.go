// Package preview carries the question what a change would do from publishers to
// sidecars, and their answers. Both go over core NATS and are stored nowhere.
//
// A question is signed as entries are, in a form that can be no entry. An answer
// is a claim: it consists of counts, and decides nothing.
package preview
