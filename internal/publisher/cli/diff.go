package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

// side is one of the two documents that are compared.
type side struct {
	name, text string
	revision   string // of the document, if it is one of an environment as it is now
}

func (k kind) diff() commandline.Invocation {
	var key, from, other, file string
	f := newForm(k.one+" diff", "Compares a "+k.one+" as it is now with what it was at a revision, is in another environment, or would be by a file. "+
		"Lines with + are those of --environment now, or those of the file.").inEnvironment()
	k.key(f, &key)
	f.revision(&from, "from", "revision to compare with")
	f.set.String(&other, "with", "", "environment to compare with")
	f.set.File(&file, "file", "", "file with a document to compare with, JSON or YAML; - is standard input").Short("f")
	f.check(func() bool { return len(present(from, other, file)) == 1 }, "say what to compare with: either --from, --with or --file")
	return f.runs(func(ctx context.Context, s *session) error {
		now, err := s.side(ctx, k, f.environment, key)
		if err != nil {
			return err
		}
		before, after := now, now
		switch {
		case from != "":
			before, err = s.past(ctx, k, f.environment, key, from)
		case other != "":
			before, err = s.side(ctx, k, other, key)
		default:
			after, err = s.file(file)
		}
		if err != nil {
			return err
		}
		if before.text == "" && after.text == "" {
			return k.nowhere(key, f.environment, other)
		}
		return s.printDifference(before, after)
	})
}

// nowhere returns the error of a comparison of a document that exists in neither environment. Without another one there is one only.
func (k kind) nowhere(key, environment, other string) error {
	text := fmt.Sprintf("there is no %s %s in %s", k.one, printable(key), strings.Join(present(environment, other), " nor in "))
	return &failure{code: exitNotFound, text: fmt.Sprintf("%s: flagside %s list -e %s lists what there is", text, k.one, environment)}
}

// side reads a document; one that does not exist has no lines.
func (s *session) side(ctx context.Context, k kind, environment, key string) (side, error) {
	body, seen, err := s.client.Document(ctx, environment, k.id(key))
	if isAbsent(err) {
		return side{name: environment + " (absent)"}, nil
	}
	if err != nil {
		return side{}, err
	}
	text, err := indented(body)
	return side{name: environment + " at " + cell(seen.Revision()), text: string(text), revision: seen.Revision()}, err
}

// past reads a document as it was at a revision of its environment.
func (s *session) past(ctx context.Context, k kind, environment, key, at string) (side, error) {
	history, err := s.client.History(ctx, environment, k.id(key), api.HistoryQuery{Limit: 1000})
	if err != nil {
		return side{}, err
	}
	for _, change := range history.Items {
		if change.Revision != at {
			continue
		}
		if change.Document == nil {
			return side{name: environment + " at " + at + " (absent)"}, nil
		}
		text, err := indented(change.Document)
		return side{name: environment + " at " + at, text: string(text)}, err
	}
	return side{}, &failure{code: exitNotFound, text: fmt.Sprintf("%s %s was not changed at revision %s: see its history", k.one, printable(key), at)}
}

func (s *session) file(name string) (side, error) {
	document, err := s.readDocument(name)
	if err != nil {
		return side{}, err
	}
	text, err := indented(document.JSON())
	if err != nil {
		return side{}, err
	}
	if name == "-" {
		name = standardInput
	}
	return side{name: name, text: string(text)}, nil
}

// printDifference prints two documents as a unified difference, or as both of them in JSON and YAML.
func (s *session) printDifference(before, after side) error {
	both := struct {
		After  jsontext.Value `json:"after"`
		Before jsontext.Value `json:"before"`
		Differ bool           `json:"differ"`
	}{jsontext.Value(after.text), jsontext.Value(before.text), before.text != after.text}
	return s.print(both, func(out io.Writer) error {
		_, err := fmt.Fprint(out, difference(before, after))
		return err
	})
}
