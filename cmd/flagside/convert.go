package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/handwritten"
)

func convertCommand() commandline.Invocation {
	var file, compatibility string
	set := config.NewSet("flagside convert", "Prints a flag file as JSON, such as one in YAML for the --bootstrap-file of sidecars. It asks no publisher.")
	set.Argument(&file, "FILE", "flagd file, JSON or YAML").File()
	set.Choice(&compatibility, "compatibility", "", []string{string(eval.CompatibilityFlagd)}, "compatibility mode of the file; without it flagside's own rules")
	return commandline.Invocation{Set: set, Run: func(_ context.Context, t commandline.Terminal) error {
		text, err := readFlags(t, file, eval.Compatibility(compatibility))
		if err != nil {
			return err
		}
		indented := jsontext.Value(append([]byte{}, text.JSON()...))
		if err := indented.Indent(); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		_, err = fmt.Fprintf(t.Stdout, "%s\n", indented)
		return err
	}}
}

// readFlags reads a flag file. Its mistakes are the error, one a line, and what is only a slip is warned about.
func readFlags(t commandline.Terminal, file string, c eval.Compatibility) (*handwritten.Text, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	text, err := handwritten.Read(file, content)
	if err != nil {
		return nil, err
	}
	_, problems := eval.ParseFile(text.JSON(), c)
	var mistakes []error
	for _, p := range problems {
		if p.Warning {
			fmt.Fprintf(t.Stderr, "flagside: warning: %v\n", text.Problem(p))
		} else {
			mistakes = append(mistakes, text.Problem(p))
		}
	}
	return text, errors.Join(mistakes...)
}
