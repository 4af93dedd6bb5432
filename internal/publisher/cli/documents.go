package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// kind is a kind of documents that have a key.
type kind struct{ one, many string } // as in words

func flagKind() kind { return kind{"flag", "flags"} }

func segmentKind() kind { return kind{"segment", "segments"} }

// id returns the id of a document.
func (k kind) id(key string) document.ID { return document.ID{Kind: document.Kind(k.one), Key: key} }

// commands returns the sub-commands that flags and segments share.
func (k kind) commands() []commandline.Command {
	return []commandline.Command{
		command(k.one+" get", "print a "+k.one, k.get),
		command(k.one+" put", "create or replace a "+k.one, k.put),
		command(k.one+" delete", "delete a "+k.one+" that nothing depends on", k.delete),
		command(k.one+" history", "list the changes of a "+k.one, k.history),
		command(k.one+" diff", "compare a "+k.one+" with another revision, environment or file", k.diff),
	}
}

// key declares the argument that names a document.
func (k kind) key(f *form, key *string) { f.set.Argument(key, "KEY", "key of the "+k.one).Of(k.one) }

func (k kind) get() commandline.Invocation {
	var key string
	f := newForm(k.one+" get", "Prints a "+k.one+". As JSON it is the document as put takes it.").inEnvironment()
	k.key(f, &key)
	return f.runs(func(ctx context.Context, s *session) error {
		return s.printDocument(ctx, f.environment, k.id(key), k.one+" "+printable(key)+" of "+f.environment)
	})
}

// printDocument prints a document, for people with its name and revision above.
func (s *session) printDocument(ctx context.Context, environment string, id document.ID, name string) error {
	body, seen, err := s.client.Document(ctx, environment, id)
	return s.answer(jsontext.Value(body), err, func(out io.Writer) error {
		text, err := yaml(body)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "# %s at revision %s\n%s", name, cell(seen.Revision()), text)
		return err
	})
}

func (k kind) put() commandline.Invocation {
	var key, file string
	var create bool
	f := newForm(k.one+" put", "Creates or replaces a "+k.one+". Unless --if-match says which revision is replaced, it is read first.").inEnvironment()
	k.key(f, &key)
	w := f.writes()
	f.set.File(&file, "file", "-", "file with the document, JSON or YAML; - is standard input").Short("f")
	f.set.Bool(&create, "create", false, "the "+k.one+" must not exist yet")
	f.check(func() bool { return !create || w.match == "" }, "--create and --if-match exclude each other")
	return f.runs(func(ctx context.Context, s *session) error {
		text, err := s.readDocument(file)
		if err != nil {
			return err
		}
		c := k.change(f, key, "put")
		s.writes = &origin{id: c.document(), text: text}
		c.command.Document = text.JSON()
		c.done = k.one + " " + printable(key) + " is written"
		seen := client.Precondition{Absent: true}
		if !create {
			if seen, err = s.preconditionOrAbsent(ctx, f.environment, k.id(key), w.match); err != nil {
				return err
			}
		}
		return w.write(ctx, s, c.on(seen))
	})
}

// change returns a change of one document.
func (k kind) change(f *form, key, what string) change {
	return change{environment: f.environment, command: api.Command{Type: what, Kind: k.one, Key: key}}
}

func (k kind) delete() commandline.Invocation {
	var key, referring string
	f := newForm(k.one+" delete", "Deletes a "+k.one+". It is refused while something depends on it.").inEnvironment()
	k.key(f, &key)
	w := f.writes()
	k.referencesOption(f, &referring)
	k.inUseOption(f, w)
	return f.runs(func(ctx context.Context, s *session) error {
		if err := unreferenced(referring, key); err != nil {
			return err
		}
		c := k.change(f, key, "delete")
		c.command.InUse = w.inUse
		c.done = k.one + " " + printable(key) + " is deleted"
		return w.writeExisting(ctx, s, c)
	})
}

func (k kind) history() commandline.Invocation {
	var key string
	var q api.HistoryQuery
	f := newForm(k.one+" history", "Lists the changes of a "+k.one+", the newest first.").inEnvironment()
	k.key(f, &key)
	f.set.Int(&q.Limit, "limit", 20, "maximum number of changes, 1 to 1000")
	f.check(func() bool { return q.Limit >= 1 && q.Limit <= 1000 }, "--limit is a number from 1 to 1000")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.History(ctx, f.environment, k.id(key), q)
		return s.answer(found, err, func(out io.Writer) error { return historyTable(out, found) })
	})
}

// historyTable prints a history, and what is to be known of each version where it stands.
func historyTable(out io.Writer, h api.History) error {
	table := list("REVISION|TIME|ACTION|ACTOR|APPROVERS|REQUEST|REASON|REMARK", h.Items, func(c api.DocumentChange) []string {
		return []string{
			cell(c.Revision), timeCell(c.Time), cell(c.Action), nameCell(c.Names, c.Actor), nameCells(c.Names, c.Approvers), cell(c.Request), cell(c.Reason), remark(servedIn(c.ServedIn)),
		}
	})
	if err := table(out); err != nil {
		return err
	}
	for _, c := range h.Items {
		if len(c.Warnings) > 0 {
			if _, err := fmt.Fprintf(out, "%s as of today:%s\n", printable(c.Revision), warnings(c.Warnings)); err != nil {
				return err
			}
		}
	}
	return nil
}
