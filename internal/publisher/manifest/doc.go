// Package manifest translates between flags and the manifest of OpenFeature's command line, which generates accessors from it: a key, a type,
// a description and the value that an application uses when a flag gives it none. It is pure: no clock, no input, no output.
//
// What a manifest says becomes source code, of which the generators of OpenFeature quote only a part. So a flag is left out of it, with a
// reason, if its key or its value could end the string, comment or name that it stands in, and descriptions are told in one harmless line.
package manifest
