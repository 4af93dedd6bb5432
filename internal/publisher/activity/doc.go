// Package activity tells everything that happened in an environment in one order: the changes of its log, and what its ledger says of
// requests, refusals and administration.
package activity
