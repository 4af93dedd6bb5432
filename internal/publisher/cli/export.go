package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/source"
)

func exportCommand() commandline.Invocation {
	var out, owner, format string
	f := &form{set: config.NewSet("flagside export", "Prints flags, segments and metadata of an environment as a flag file, which apply takes. A file that exists keeps "+
		"its comments and whatever is right in it already. It is written only if something differs.")}
	f.conn.declare(f.set)
	f.inEnvironment()
	f.set.File(&out, "out", "", "file to write, JSON or YAML by its name; without it standard output").Short("o")
	f.set.Choice(&format, "format", formatJSON, []string{formatJSON, formatYAML}, "what standard output gets")
	f.set.String(&owner, "source", "", "only what the source of this name owns")
	return f.runs(func(ctx context.Context, s *session) error {
		live, err := s.liveDocuments(ctx, f.environment)
		if err != nil {
			return err
		}
		documents := live.documents
		if owner != "" {
			documents = slices.DeleteFunc(documents, func(d document.Document) bool { return source.Owner(d.Body) != owner })
		}
		file := source.File(documents)
		if out == "" {
			text, err := formatted(file, format)
			if err != nil {
				return err
			}
			_, err = s.terminal.Stdout.Write(text)
			return err
		}
		return s.export(out, f.environment, file, len(documents))
	})
}

func formatted(file []byte, format string) ([]byte, error) {
	if format == formatYAML {
		return yaml(file)
	}
	return indented(file)
}

// export writes a flag file, of which it keeps what it can.
func (s *session) export(name, environment string, file []byte, documents int) error {
	before, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	exists := err == nil
	after, kept := []byte(nil), false
	if exists {
		after, kept = source.Rewrite(name, before, file)
	}
	if !kept {
		format := formatJSON
		if ending := strings.ToLower(filepath.Ext(name)); ending == ".yaml" || ending == ".yml" {
			format = formatYAML
		}
		if after, err = formatted(file, format); err != nil {
			return err
		}
	}
	if exists && bytes.Equal(before, after) {
		_, err := fmt.Fprintf(s.terminal.Stdout, "%s says what %s is already\n", printable(name), environment)
		return err
	}
	if err := os.WriteFile(name, after, 0o644); err != nil { // #nosec G306 G703 -- a file of the user, as editors write it
		return err
	}
	text := fmt.Sprintf("%s of %s in %s", counted(documents, "document is", "documents are"), environment, printable(name))
	if exists && !kept {
		text += "; nothing of what it said before could be kept"
	}
	_, err = fmt.Fprintln(s.terminal.Stdout, text)
	return err
}
