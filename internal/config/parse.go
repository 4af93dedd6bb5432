package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Parse fills in the variables of the set from args (the command line without the program and the sub-command), from the
// environment that lookup reads, usually os.LookupEnv, and from the configuration file. It reports everything that is wrong at once,
// each with its place. For ActionHelp nothing but the command line was read. Parse is called once.
func (s *Set) Parse(args []string, lookup func(name string) (string, bool)) (Action, error) {
	flags, words, err := s.readFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		return ActionHelp, nil
	}
	if err != nil {
		return ActionRun, err
	}
	if err := s.apply(s.common, flags, lookup, nil); err != nil {
		return ActionRun, err
	}
	file, err := s.readFile()
	if err != nil {
		return ActionRun, err
	}
	if err := errors.Join(s.apply(s.options, flags, lookup, file), s.applyWords(words)); err != nil {
		return ActionRun, err
	}
	return s.action(), nil
}

// action returns what the common options ask for.
func (s *Set) action() Action {
	switch {
	case s.print:
		return ActionPrint
	case s.check:
		return ActionCheck
	default:
		return ActionRun
	}
}

// readFlags splits the command line into the texts given for each flag and the other words, which may stand before, between and
// after the flags.
func (s *Set) readFlags(args []string) (flags map[string][]string, words []string, err error) {
	flags = make(map[string][]string)
	set := flag.NewFlagSet(s.command, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	for _, option := range s.all() {
		_, isBool := option.value.(boolValue)
		set.Var(flagTexts{option.Name, flags, isBool}, option.Name, option.Usage)
		if option.Letter != "" {
			set.Var(flagTexts{option.Name, flags, isBool}, option.Letter, option.Usage)
		}
	}
	for {
		if err := set.Parse(args); err != nil {
			return nil, nil, s.commandLine(err)
		}
		rest := set.Args()
		if len(rest) == 0 {
			return flags, words, nil
		}
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			return flags, append(words, rest...), nil
		}
		words = append(words, rest[0])
		args = rest[1:]
	}
}

// commandLine returns what is wrong with a command line. Of an option that there is not, it names the one that was meant, if it can be guessed.
func (s *Set) commandLine(err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return fmt.Errorf("command line: %w", err)
	}
	name = strings.TrimPrefix(name, "-")
	var names []string
	for _, option := range s.all() {
		names = append(names, option.Name)
	}
	if similar := Similar(name, names); similar != "" {
		return fmt.Errorf("there is no option --%s: did you mean --%s?", name, similar)
	}
	return fmt.Errorf("there is no option --%s", name)
}

// flagTexts collects the texts of one flag. It implements flag.Value.
type flagTexts struct {
	name   string
	texts  map[string][]string
	isBool bool
}

// Set keeps the text; it is read when it is known that no other source overrides it.
func (f flagTexts) Set(text string) error {
	f.texts[f.name] = append(f.texts[f.name], text)
	return nil
}

// String returns nothing: the defaults are known elsewhere.
func (f flagTexts) String() string { return "" }

// IsBoolFlag reports whether the flag may stand without a value.
func (f flagTexts) IsBoolFlag() bool { return f.isBool }

// apply gives each of the options the value of the first source that has one.
func (s *Set) apply(
	options []*Option, flags map[string][]string, lookup func(string) (string, bool), file map[string]fileEntry,
) error {
	var errs []error
	for _, option := range options {
		if err := option.apply(flags, lookup, file, s.fallback); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (o *Option) apply(
	flags map[string][]string, lookup func(string) (string, bool), file map[string]fileEntry, fallback func(string) (string, string),
) error {
	if o.explicit {
		lookup, file, fallback = func(string) (string, bool) { return "", false }, nil, nil
	}
	texts, place := o.find(flags, lookup, file)
	if secret, ok := o.value.(secretValue); ok {
		if text, ok := lookup(o.secretEnv); ok && text != "" {
			return o.applySecret(secret, text, place)
		}
	}
	if fallback != nil {
		var from string
		if o.fallback, from = fallback(o.Name); o.fallback != "" && texts == nil {
			texts, place = []string{o.fallback}, from
		}
	}
	o.given, o.source = texts != nil, place
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return fmt.Errorf("%s: %q is not valid UTF-8", place, text)
		}
	}
	if o.given {
		if err := o.value.set(texts); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
	if o.required && o.value.text() == "" {
		return fmt.Errorf("option --%s is required: give it as a flag, as %s or in the configuration file", o.Name, o.Env)
	}
	return nil
}

// applySecret takes a secret from its own environment variable. Another source beside it at place, if any, is refused: one of two
// secrets would be silently ignored.
func (o *Option) applySecret(secret secretValue, text, place string) error {
	if place != "" {
		return fmt.Errorf("%s and environment variable %s both give the secret: leave one out", place, o.secretEnv)
	}
	*secret.p, *secret.path = Secret{text: text}, mask
	o.given, o.source = true, ""
	return nil
}

// find returns the texts of the first source that has the option, and names that source. An empty environment variable counts as
// absent, because that is how most tools unset one, and so does an empty text in the file where the default is empty, because Print
// shows absent options so.
func (o *Option) find(
	flags map[string][]string, lookup func(string) (string, bool), file map[string]fileEntry,
) (texts []string, place string) {
	if texts, ok := flags[o.Name]; ok {
		return texts, "flag --" + o.Name
	}
	if text, ok := lookup(o.Env); ok && text != "" {
		return []string{text}, "environment variable " + o.Env
	}
	if entry, ok := file[o.Name]; ok && (o.Default != "" || !slices.Equal(entry.texts, []string{""})) {
		return entry.texts, entry.place
	}
	return nil, ""
}

// applyWords gives the arguments their words.
func (s *Set) applyWords(words []string) error {
	for _, word := range words {
		if !utf8.ValidString(word) {
			return fmt.Errorf("%q is not valid UTF-8", word)
		}
	}
	for i, argument := range s.arguments {
		if i >= len(words) && argument.optional {
			break
		}
		if i >= len(words) {
			return fmt.Errorf("argument %s is missing: %s", argument.name, argument.usage)
		}
		if len(argument.Choices) > 0 && !slices.Contains(argument.Choices, words[i]) {
			return fmt.Errorf("%s is one of %s, not %q", argument.name, strings.Join(argument.Choices, ", "), words[i])
		}
		*argument.p = words[i]
	}
	if s.rest != nil {
		*s.rest = words[len(s.arguments)-1:]
		return nil
	}
	if len(words) > len(s.arguments) {
		return fmt.Errorf("unexpected argument %q", words[len(s.arguments)])
	}
	return nil
}
