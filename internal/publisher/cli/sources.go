package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/sync/changelog"
)

// sourceCommands are what people do with the sources that publishers follow.
func sourceCommands() []commandline.Command {
	return []commandline.Command{
		command("source list", "list the files and objects that an environment follows, and their states", sourceList),
		command("source give-back", "give a flag back to its source after breaking the glass", sourceGiveBack),
		command("source release", "take the owner off everything that a source owns", sourceRelease),
	}
}

func sourceList() commandline.Invocation {
	f := newForm("source list", "Lists the files and objects that an environment follows, as the publisher that answers sees them, and how far it is with each. "+
		"publisher serve --source names them.").inEnvironment()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.Sources(ctx, f.environment)
		return s.answer(found, err, func(out io.Writer) error {
			if len(found.Items) == 0 {
				_, err := fmt.Fprintf(out, "%s follows no source: publisher serve --source %s=PATH lets it\n", printable(f.environment), printable(f.environment))
				return err
			}
			table := list("NAME|KIND|STATE|SINCE|VERSION|DOCUMENTS|REQUEST", found.Items, func(i api.Source) []string {
				return []string{cell(i.Name), i.Kind, cell(i.State), timeCell(i.Since), cell(i.Version), fmt.Sprint(i.Documents), cell(i.ChangeRequest)}
			})
			if err := table(out); err != nil {
				return err
			}
			return sourceDetails(out, found.Items)
		})
	})
}

// sourceDetails says below the list what is wrong.
func sourceDetails(out io.Writer, items []api.Source) error {
	var lines []string
	for _, i := range items {
		if i.Detail == "" {
			continue
		}
		for line := range strings.Lines(i.Detail) {
			lines = append(lines, printable(i.Place+": "+strings.TrimSuffix(line, "\n")))
		}
	}
	if lines == nil {
		return nil
	}
	_, err := fmt.Fprintln(out, "\n"+strings.Join(lines, "\n"))
	return err
}

func sourceGiveBack() commandline.Invocation {
	var key string
	var segment bool
	f := newForm("source give-back", "Gives a flag back to its source that was changed by breaking the glass. The source makes it again what it says.").inEnvironment()
	flagKind().key(f, &key)
	f.set.Bool(&segment, "segment", false, "the key is that of a segment")
	w := f.writes()
	return f.runs(func(ctx context.Context, s *session) error {
		k := flagKind()
		if segment {
			k = segmentKind()
		}
		body, seen, err := s.client.Document(ctx, f.environment, k.id(key))
		if err != nil {
			return err
		}
		from := ownership.Taken(ownership.Owner(body))
		if from == "" {
			return &failure{code: exitConflict, text: fmt.Sprintf("%s %s was not taken from a source: there is nothing to give back", k.one, printable(key))}
		}
		c := k.change(f, key, "patch")
		c.command.Patch = []byte(`{"` + document.SourceMember + `":null}`)
		c.done = k.one + " " + printable(key) + " is given back to " + printable(from)
		return w.writeSeen(ctx, s, c, seen)
	})
}

func sourceRelease() commandline.Invocation {
	var name string
	f := newForm("source release", "Takes the owner off everything that a source owns, so that it can be changed by hand again: end the source first, by leaving it "+
		"out of the publisher's --source, or it becomes the owner again. Nothing else changes. It takes the permission to administer.").inEnvironment()
	f.set.Argument(&name, "NAME", "name of the source, such as publisher:/flags/prod")
	w := f.changes()
	return f.runs(func(ctx context.Context, s *session) error {
		live, err := s.liveDocuments(ctx, f.environment)
		if err != nil {
			return err
		}
		c := change{environment: f.environment, command: api.Command{Type: "documents"}}
		left := 0
		for _, d := range live.documents {
			switch owner := ownership.Owner(d.Body); {
			case ownership.Source(owner) != name && ownership.Taken(owner) != name:
			case len(c.command.Changes) == changelog.MaxEntries:
				left++
			default:
				revision := fmt.Sprintf("%s-%d", live.epoch, d.Revision)
				c.command.Changes = append(c.command.Changes, api.CommandChange{Kind: string(d.Kind), Key: d.Key, IfMatch: revision, Document: ownership.Unmarked(d.Body)})
			}
		}
		if len(c.command.Changes) == 0 {
			return &failure{code: exitNotFound, text: fmt.Sprintf("the source %s owns nothing in %s", printable(name), printable(f.environment))}
		}
		c.done = fmt.Sprintf("the source %s owns %s less", printable(name), counted(len(c.command.Changes), "document", "documents"))
		if left > 0 {
			c.hint = fmt.Sprintf("it still owns %s: run the same again", counted(left, "document", "documents"))
		}
		return w.write(ctx, s, c)
	})
}
