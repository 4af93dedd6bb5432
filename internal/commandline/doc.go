// Package commandline runs programs with sub-commands: it finds the command that a line means, fills in its options, and helps those who mistype
// it.
//
// Options may stand before the command or behind it. Nothing here is safe for concurrent use; everything is a value.
package commandline
