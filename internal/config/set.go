package config

import (
	"fmt"
	"slices"
	"time"
)

// Action is what a command line asks the program to do.
type Action int

// The actions of a command line.
const (
	// ActionRun asks for the command itself.
	ActionRun Action = iota
	// ActionCheck asks to say whether the configuration is good, and to start nothing.
	ActionCheck
	// ActionPrint asks for the configuration that would be used; see Set.Print.
	ActionPrint
	// ActionHelp asks for the usage text; see Set.Usage.
	ActionHelp
)

// Set is the option table of one command.
type Set struct {
	command   string
	synopsis  string
	options   []*Option
	arguments []*Argument
	rest      *[]string // takes all words after the arguments; nil refuses them
	fallback  func(option string) (value, place string)

	file   string
	check  bool
	print  bool
	common []*Option
}

// Argument is a required word of the command line that is not a flag.
type Argument struct {
	// Choices are the words that it may be, nil if they cannot be listed.
	Choices []string
	// Names is the kind of what it names, such as flag; empty if it is no name.
	Names string
	// Type is TypeFile or TypeDirectory if it is a path, else empty.
	Type string

	p     *string
	name  string
	usage string
	many  bool // it stands for itself and all words that follow

	optional bool
}

// Optional lets the word be left out: its text stays what it was then. Only the last argument can be.
func (a *Argument) Optional() *Argument {
	a.optional = true
	return a
}

// OneOf makes Parse refuse other words.
func (a *Argument) OneOf(choices ...string) *Argument {
	a.Choices = choices
	return a
}

// Of tells what kind of thing the word names, so that it can be completed.
func (a *Argument) Of(kind string) *Argument {
	a.Names = kind
	return a
}

// File tells that it is the path of a file.
func (a *Argument) File() *Argument {
	a.Type = TypeFile
	return a
}

// Directory tells that it is the path of a directory.
func (a *Argument) Directory() *Argument {
	a.Type = TypeDirectory
	return a
}

// label returns the name as usage lines show it.
func (a *Argument) label() string {
	switch {
	case a.many:
		return a.name + "..."
	case a.optional:
		return "[" + a.name + "]"
	default:
		return a.name
	}
}

// NewSet returns the option table of a command, such as "publisher serve", that the synopsis describes in one line. The table
// already has the options --config, --check and --print-config.
func NewSet(command, synopsis string) *Set {
	s := &Set{command: command, synopsis: synopsis}
	s.common = []*Option{
		newOption("config", "", "JSON file with options by name; flags and environment variables override it", pathValue{stringValue{&s.file}, TypeFile}),
		newOption("check", "", "check the configuration, say what is wrong and exit", boolValue{&s.check}),
		newOption("print-config", "", "print the configuration that would be used, secrets masked, and exit", boolValue{&s.print}),
	}
	for _, option := range s.common {
		option.shared = true
	}
	return s
}

// String declares an option whose value is any text.
func (s *Set) String(p *string, name, byDefault, usage string) *Option {
	*p = byDefault
	return s.add(newOption(name, byDefault, usage, stringValue{p}))
}

// File declares an option whose value is the path of a file.
func (s *Set) File(p *string, name, byDefault, usage string) *Option {
	*p = byDefault
	return s.add(newOption(name, byDefault, usage, pathValue{stringValue{p}, TypeFile}))
}

// Directory declares an option whose value is the path of a directory.
func (s *Set) Directory(p *string, name, byDefault, usage string) *Option {
	*p = byDefault
	return s.add(newOption(name, byDefault, usage, pathValue{stringValue{p}, TypeDirectory}))
}

// Choice declares an option whose value is one of the choices. The default may be empty although it is not among them.
func (s *Set) Choice(p *string, name, byDefault string, choices []string, usage string) *Option {
	*p = byDefault
	return s.add(newOption(name, byDefault, usage, choiceValue{stringValue{p}, choices}))
}

// Bool declares an option that is on or off. On the command line, --name alone means on.
func (s *Set) Bool(p *bool, name string, byDefault bool, usage string) *Option {
	*p = byDefault
	v := boolValue{p}
	return s.add(newOption(name, v.text(), usage, v))
}

// Int declares an option whose value is an integer.
func (s *Set) Int(p *int, name string, byDefault int, usage string) *Option {
	*p = byDefault
	v := intValue{p}
	return s.add(newOption(name, v.text(), usage, v))
}

// Duration declares an option whose value is a length of time, zero or more.
func (s *Set) Duration(p *time.Duration, name string, byDefault time.Duration, usage string) *Option {
	*p = byDefault
	v := durationValue{p}
	return s.add(newOption(name, v.text(), usage, v))
}

// Address declares an option whose value is a host:port address with a numeric port. An empty host means every interface; see
// LoopbackOnly. The default may be empty; then the option has to be given or nothing listens there.
func (s *Set) Address(p *string, name, byDefault, usage string) *Option {
	*p = byDefault
	return s.add(newOption(name, byDefault, usage, addressValue{stringValue{p}}))
}

// Listener declares an option whose value is a host:port address, unix: followed by the path of a socket, or off. An empty value is off.
func (s *Set) Listener(p *string, name, byDefault, usage string) *Option {
	*p = byDefault
	return s.add(newOption(name, byDefault, usage, listenerValue{stringValue{p}}))
}

// List declares an option with any number of texts: repeated or comma-separated on the command line, comma-separated in the
// environment, an array in the file. Surrounding blanks and empty items are dropped; no item can contain a comma. The default may
// be nil.
func (s *Set) List(p *[]string, name string, byDefault []string, usage string) *Option {
	*p = byDefault
	v := listValue{p}
	return s.add(newOption(name, v.text(), usage, v))
}

// Map declares an option with texts by name. On the command line it is name=value and may be repeated; the environment has one such text,
// the file an object of strings. What follows a single equals sign is the value, commas included. A text with several equals signs is as
// flagd reads it: pairs separated by commas, where double quotes around a pair keep its commas together. A text that begins with { is an
// object as in the file. No name may be given twice. The default is nil.
func (s *Set) Map(p *map[string]string, name, usage string) *Option {
	*p = nil
	return s.add(newOption(name, "", usage, mapValue{p}))
}

// Secret declares a secret called name. It is read from the file that the option --name-file names, without line ends at its end, or
// taken from the environment variable FLAGSIDE_NAME. It cannot be given on the command line or in the configuration file, where
// others could read it.
func (s *Set) Secret(p *Secret, name, usage string) *Option {
	option := newOption(name+"-file", "", usage, secretValue{p, new(string)})
	option.secretEnv = envName(name)
	return s.add(option)
}

// Argument declares the next required word of the command line, such as FILE.
func (s *Set) Argument(p *string, name, usage string) *Argument {
	a := &Argument{p: p, name: name, usage: usage}
	s.arguments = append(s.arguments, a)
	return a
}

// Words declares that one or more words of the command line follow its arguments, such as VALUE.
func (s *Set) Words(p *[]string, name, usage string) {
	var first string
	s.Argument(&first, name, usage).many = true
	s.rest = p
}

// ArgumentAt returns the argument that a word of the command line is, counted from 0 without options; false if there is none.
func (s *Set) ArgumentAt(i int) (Argument, bool) {
	if s.rest != nil {
		i = min(i, len(s.arguments)-1)
	}
	if i >= len(s.arguments) {
		return Argument{}, false
	}
	return *s.arguments[i], true
}

// Fallback gives options a value, and names the place that it comes from, where the command line, the environment and the file have none. The
// empty value gives none.
func (s *Set) Fallback(value func(option string) (value, place string)) { s.fallback = value }

// Command returns the words that begin the command line, such as "publisher serve".
func (s *Set) Command() string { return s.command }

// Synopsis returns what the command does, in a line.
func (s *Set) Synopsis() string { return s.synopsis }

// Arguments returns the names of the required words of the command line that are not flags, in their order.
func (s *Set) Arguments() []string {
	var names []string
	for _, argument := range s.arguments {
		names = append(names, argument.label())
	}
	return names
}

// Options returns the option table in the order of declaration, the common options last.
func (s *Set) Options() []Option {
	var all []Option
	for _, option := range s.all() {
		all = append(all, *option)
	}
	return all
}

// newOption derives an option from its declaration.
func newOption(name, byDefault, usage string, v value) *Option {
	o := &Option{Name: name, Env: envName(name), Usage: usage, Default: byDefault, Type: v.kind(), value: v}
	_, o.Switch = v.(boolValue)
	if choice, ok := v.(choiceValue); ok {
		o.Choices = choice.choices
	}
	return o
}

// add puts an option into the table. A name that is taken or malformed is a mistake in the program, not in its input.
func (s *Set) add(option *Option) *Option {
	if !validName(option.Name) || option.Usage == "" {
		panic(fmt.Sprintf("config: option %q needs a lower-case-with-dashes name and a usage text", option.Name))
	}
	for _, other := range s.all() {
		if other.Name == option.Name || other.Env == option.Env {
			panic(fmt.Sprintf("config: option %q is declared twice", option.Name))
		}
	}
	s.options = append(s.options, option)
	return option
}

// all returns the options of the command, then the common ones.
func (s *Set) all() []*Option {
	return slices.Concat(s.options, s.common)
}
