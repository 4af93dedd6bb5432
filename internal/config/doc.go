// Package config turns the command line, the environment and a file into the options of one command.
//
// A command declares each of its options once in a Set; the flag, the environment variable, the key of the configuration file, the
// usage text, the table in the documentation and the printed configuration all follow from that declaration. A value is taken from
// the first of these that has one:
//
//  1. the flag --name
//  2. the environment variable FLAGSIDE_NAME
//  3. the key "name" of the JSON file that --config names
//  4. the default
//
// # Concurrency properties
//
// A Set belongs to one goroutine. The variables that it fills in may be shared once Parse has returned.
package config
