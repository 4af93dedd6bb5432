// Package cli is the command line for the API of a publisher: one sub-command for each thing that the API can do.
//
// A command reads and writes nothing but the API, so it needs no more than an address and a token, and may do no more than the token
// may. Answers are printed as a table for people, or as the JSON or YAML of the API; what went wrong is said on standard error and by
// the exit code, see [ExitCode].
//
// # Concurrency properties
//
// A [commandline.Command] may be used by several goroutines, an [commandline.Invocation] by one.
package cli
