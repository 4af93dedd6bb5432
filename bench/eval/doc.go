// Command eval compares flagside's evaluation with that of the flagd daemon: the same documents and contexts, in one process and one
// run. It is a module of its own so that flagd's dependencies never reach the main module.
package main
