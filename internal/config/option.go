package config

import "strings"

// envPrefix begins the name of every environment variable that is read.
const envPrefix = "FLAGSIDE_"

// Option is one line of the option table.
type Option struct {
	// Name is the name of the flag without dashes, and the key in the configuration file.
	Name string
	// Env is the name of the environment variable; empty if none sets it.
	Env string
	// Usage says what the option does, its unit and the consequence of the default.
	Usage string
	// Default is the default as one would write it on the command line; empty if there is none.
	Default string
	// Letter is the flag of one letter that means the same; empty if there is none.
	Letter string
	// Switch tells that the flag may stand without a value, which means on.
	Switch bool
	// Type names the type of the value for people, such as text, file or directory.
	Type string
	// Choices are the values that it may have, nil if they cannot be listed.
	Choices []string
	// Names is the kind of what the value names, such as environment; empty if it is no name.
	Names string

	value    value
	shared   bool
	required bool
	given    bool
	source   string
	fallback string
	// explicit keeps everything but the command line from the option.
	explicit bool
	// secretEnv is the environment variable that may hold the secret itself, for options that name the file of one.
	secretEnv string
}

// Require makes Parse refuse a command line, environment and file that all leave the option out or empty.
func (o *Option) Require() { o.required = true }

// Short adds a flag of one letter that means the same on the command line.
func (o *Option) Short(letter string) *Option {
	o.Letter = letter
	return o
}

// Shared tells that many commands have the option, so that help shows it after those of the command itself.
func (o *Option) Shared() *Option {
	o.shared = true
	return o
}

// Of tells what kind of thing the value names, so that it can be completed.
func (o *Option) Of(kind string) *Option {
	o.Names = kind
	return o
}

// Source returns what gave the option its value at the last Parse, such as flag --environment; empty if it has its default.
func (o *Option) Source() string { return o.source }

// OnlyOnCommandLine makes Parse read the option from the command line alone: it is to be given each time, on purpose.
func (o *Option) OnlyOnCommandLine() *Option {
	o.explicit, o.Env, o.secretEnv = true, "", ""
	return o
}

// FallbackText returns what the last Parse would have given the option if nothing else had; empty if that is its default.
func (o *Option) FallbackText() string { return o.fallback }

// Text returns the value as one would write it on the command line. Of a secret it is the path of its file, or a mask.
func (o *Option) Text() string { return o.value.text() }

// Given reports whether the last Parse found the option anywhere, even if only to repeat its default.
func (o *Option) Given() bool { return o.given }

// Variable returns the name of the environment variable for an option.
func Variable(option string) string { return envName(option) }

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
