// Package folding keeps the series of one environment: it reads what sidecars report, folds it, and writes what becomes of it, all as one
// transaction. Of several publishers one does the work, and another goes on when that ends. Nothing is folded twice, whichever does it.
//
// # Concurrency properties
//
// A Folder is safe for concurrent use, but Run may be called only once.
package folding
