package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/handwritten"
	"github.com/flagside/flagside/internal/publisher/admin"
)

// maxDocument bounds a document that is read from a file, in bytes. The publisher refuses smaller ones already, with a better reason.
const maxDocument = 16 << 20

// kind is a kind of documents that have a key.
type kind struct {
	one, many string // as in words and in paths
	columns   []column
}

func flagKind() kind {
	return kind{"flag", "flags", []column{
		at("KEY", "key"), at("STATE", "document.state"), at("DEFAULT", "document.defaultVariant"), at("KIND", "document.kind"),
		at("OWNER", "document.owner"), at("TAGS", "document.tags"), at("REVISION", "revision"),
	}}
}

func segmentKind() kind {
	return kind{"segment", "segments", []column{at("KEY", "key"), at("REVISION", "revision"), at("DOCUMENT", "document")}}
}

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

// path returns the path of a document, or of what is below it.
func (k kind) path(environment, key string, below ...string) []string {
	return append([]string{"environments", environment, k.many, key}, below...)
}

func (k kind) list() commandline.Invocation {
	f := newForm(k.one+" list", "Lists the "+k.many+" of an environment by key.").inEnvironment()
	return f.runs(func(ctx context.Context, s *session) error {
		return s.printAll(ctx, admin.Call{Path: []string{"environments", f.environment, k.many}}, "after", list(k.columns...))
	})
}

func (k kind) get() commandline.Invocation {
	var key string
	f := newForm(k.one+" get", "Prints a "+k.one+". As JSON it is the document as put takes it.").inEnvironment()
	k.key(f, &key)
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: k.path(f.environment, key)})
		if err != nil {
			return err
		}
		return s.printDocument(found, k.one+" "+printable(key)+" of "+f.environment)
	})
}

// revision returns the revision of a document from the headers of its answer.
func revision(header http.Header) string {
	if text, err := strconv.Unquote(header.Get("ETag")); err == nil {
		return text
	}
	return "-"
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
		document := text.JSON()
		s.writes = &source{kind: k.one, key: key, text: text}
		c := k.change(f, key, "put", http.MethodPut)
		c.Body, c.command.Document = document, document
		c.done = k.one + " " + printable(key) + " is written"
		v := seen{absent: true}
		if !create {
			if v, err = s.look(ctx, c.Path, w.match); err != nil {
				return err
			}
		}
		return w.write(ctx, s, v.on(c))
	})
}

// change returns a change of one document.
func (k kind) change(f *form, key, what, method string, below ...string) change {
	return change{
		Call:        admin.Call{Method: method, Path: k.path(f.environment, key, below...)},
		environment: f.environment,
		command:     admin.Command{Type: what, Kind: k.one, Key: key},
	}
}

func (k kind) delete() commandline.Invocation {
	var key string
	f := newForm(k.one+" delete", "Deletes a "+k.one+". It is refused while something depends on it.").inEnvironment()
	k.key(f, &key)
	w := f.writes()
	return f.runs(func(ctx context.Context, s *session) error {
		c := k.change(f, key, "delete", http.MethodDelete)
		c.done = k.one + " " + printable(key) + " is deleted"
		return w.writeExisting(ctx, s, c, c.Path)
	})
}

func (k kind) history() commandline.Invocation {
	var key string
	var limit int
	f := newForm(k.one+" history", "Lists the changes of a "+k.one+", the newest first.").inEnvironment()
	k.key(f, &key)
	f.set.Int(&limit, "limit", 20, "maximum number of changes, 1 to 1000")
	f.check(func() bool { return limit >= 1 && limit <= 1000 }, "--limit is a number from 1 to 1000")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: k.path(f.environment, key, "history"), Query: url.Values{"limit": {strconv.Itoa(limit)}}})
		if err != nil {
			return err
		}
		return s.print(found.Body, historyTable)
	})
}

// historyTable prints a history, and what is to be known of each version where it stands.
func historyTable(out io.Writer, value any) error {
	table := list(
		at("REVISION", "revision"), at("TIME", "time"), at("ACTION", "action"), named("ACTOR", "actor"),
		named("APPROVERS", "approvers"), at("REQUEST", "changeRequest"), at("REASON", "reason"),
	)
	if err := table(out, value); err != nil {
		return err
	}
	items, _ := find(value, "items").([]any)
	for _, item := range items {
		if text := warnings(item); text != "" {
			if _, err := fmt.Fprintf(out, "%s as of today:%s\n", word(item, "revision"), text); err != nil {
				return err
			}
		}
	}
	return nil
}

// standardInput is the name of what is read from no file.
const standardInput = "standard input"

// readDocument reads JSON or YAML from a file, or from standard input when the file is "-", and returns JSON.
func (s *session) readDocument(file string) (*handwritten.Text, error) {
	text, err := readText(s.terminal.Stdin, file)
	if err != nil {
		return nil, err
	}
	if file == "-" {
		file = standardInput
	}
	document, err := handwritten.Read(file, text)
	if err != nil {
		return nil, &failure{code: exitInvalid, text: visible(err.Error())}
	}
	return document, nil
}

func readText(in io.Reader, file string) ([]byte, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	case len(text) > maxDocument:
		return nil, fmt.Errorf("%s is larger than %d bytes", file, maxDocument)
	case len(text) == 0:
		return nil, errors.New("there is no document: name its file with --file, or write it to standard input")
	}
	return text, nil
}
