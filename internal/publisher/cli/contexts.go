package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/cli/contexts"
)

func contextCommands() []commandline.Command {
	return []commandline.Command{
		command("context list", "list what you are logged in to", contextList),
		command("context use", "use another context from now on", contextUse),
		command("context remove", "forget a context, and the token that login has written", contextRemove),
	}
}

func contextList() commandline.Invocation {
	set := config.NewSet("flagside context list", "Lists your contexts. Options and variables override the context in use.")
	return commandline.Invocation{Set: set, Run: func(_ context.Context, t commandline.Terminal) error {
		_, kept, err := contextsOf(t)
		if err != nil {
			return err
		}
		out := tabwriter.NewWriter(t.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "USED\tNAME\tADDRESS\tENVIRONMENT\tTOKEN FILE")
		for _, name := range kept.Names() {
			used := ""
			if name == kept.Current {
				used = "*"
			}
			c := kept.All[name]
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", used, printable(name), printable(c.Admin), some(present(c.Environment)), some(present(c.TokenFile)))
		}
		return out.Flush()
	}}
}

func contextUse() commandline.Invocation {
	return changeContexts("use", "Uses a context from now on.", func(_ string, kept contexts.Contexts, name string) (contexts.Contexts, string, error) {
		kept.Current = name
		c := kept.All[name]
		return kept, fmt.Sprintf("context %s is used from now on: %s", name, strings.Join(present(c.Admin, c.Environment), ", environment ")), nil
	})
}

func contextRemove() commandline.Invocation {
	return changeContexts("remove", "Forgets a context, and the token that login has written.",
		func(dir string, kept contexts.Contexts, name string) (contexts.Contexts, string, error) {
			return kept.Without(name), "context " + name + " is forgotten", contexts.RemoveToken(dir, name)
		})
}

// changeContexts returns a command that does something with one of the contexts.
func changeContexts(
	verb, synopsis string, change func(dir string, kept contexts.Contexts, name string) (contexts.Contexts, string, error),
) commandline.Invocation {
	var name string
	set := config.NewSet("flagside context "+verb, synopsis)
	set.Argument(&name, "NAME", "name of the context").Of(namesContext)
	return commandline.Invocation{Set: set, Run: func(_ context.Context, t commandline.Terminal) error {
		dir, kept, err := contextsOf(t)
		if err != nil {
			return err
		}
		if !slices.Contains(kept.Names(), name) {
			return notFound("context", name, kept.Names())
		}
		kept, done, err := change(dir, kept, name)
		if err == nil {
			err = contexts.Write(dir, kept)
		}
		if err == nil {
			_, err = fmt.Fprintln(t.Stdout, done)
		}
		return err
	}}
}

// notFound returns the failure of a name that there is not, with the one that was meant, if it can be guessed.
func notFound(kind, name string, known []string) error {
	text := fmt.Sprintf("there is no %s %q", kind, name)
	if similar := config.Similar(name, known); similar != "" {
		text += ": did you mean " + similar + "?"
	}
	return &failure{code: exitNotFound, text: visible(text)}
}
