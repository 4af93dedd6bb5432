package config

import "strings"

// envPrefix begins the name of every environment variable that is read.
const envPrefix = "FLAGSIDE_"

// Option is one line of the option table.
type Option struct {
	// Name is the name of the flag without dashes, and the key in the configuration file.
	Name string
	// Env is the name of the environment variable.
	Env string
	// Usage says what the option does, its unit and the consequence of the default.
	Usage string
	// Default is the default as one would write it on the command line; empty if there is none.
	Default string

	value    value
	short    string
	required bool
	given    bool
	// secretEnv is the environment variable that may hold the secret itself, for options that name the file of one.
	secretEnv string
}

// Require makes Parse refuse a command line, environment and file that all leave the option out or empty.
func (o *Option) Require() { o.required = true }

// Short adds a flag of one letter that means the same on the command line.
func (o *Option) Short(letter string) *Option {
	o.short = letter
	return o
}

// Given reports whether the last Parse found the option anywhere, even if only to repeat its default.
func (o *Option) Given() bool { return o.given }

// envName derives the name of an environment variable from the name of an option.
func envName(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// validName reports whether name is made of lower-case words joined by single dashes, so that it reads well as a flag and becomes a
// legal environment variable.
func validName(name string) bool {
	for word := range strings.SplitSeq(name, "-") {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return true
}
