package cli_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/cli"
)

// Each command has two examples, and each of them is a command line that makes sense.
func TestExamplesMakeSense(t *testing.T) {
	t.Parallel()
	for _, c := range cli.Commands() {
		if len(c.Examples) != 2 || c.Examples[0] == c.Examples[1] {
			t.Errorf("%s has the examples %q, want two", c.Name(), c.Examples)
		}
		for _, example := range c.Examples {
			words := shellWords(example)
			if !c.Begins(words) {
				t.Errorf("%s: %q is of another command", c.Name(), example)
				continue
			}
			i := c.New()
			if _, err := i.Set.Parse(words[len(c.Words):], config.Lookup(nil)); err != nil {
				t.Errorf("%s: %v", example, err)
			} else if i.Check != nil && i.Check() != nil {
				t.Errorf("%s: %v", example, i.Check())
			}
		}
	}
}

// shellWords splits a line as a shell does, as far as examples need it.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = slices.Concat(words, strings.Fields(part))
		}
	}
	return words
}
