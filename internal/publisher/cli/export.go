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
	"github.com/flagside/flagside/internal/fileaccess"
	"github.com/flagside/flagside/internal/handwritten"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
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
	f.checks = append(f.checks, func() error {
		if owner == "" || ownership.Reserved(owner) {
			return nil
		}
		return ownership.ValidateName(owner)
	})
	return f.runs(func(ctx context.Context, s *session) error {
		live, err := s.liveDocuments(ctx, f.environment)
		if err != nil {
			return err
		}
		documents := live.documents
		if owner != "" {
			documents = slices.DeleteFunc(documents, func(d document.Document) bool { return ownership.Source(ownership.Owner(d.Body)) != owner })
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
		before, err := flagFile(out)
		if err != nil {
			return err
		}
		if before != nil && owner != "" && len(documents) == 0 {
			return &failure{code: exitNotFound, text: fmt.Sprintf("%s stays as it is: the source %s owns nothing in %s; see the names with flagside flag list -o json, "+
				"or leave --source out", printable(out), owner, f.environment)}
		}
		return s.export(out, f.environment, before, file, len(documents))
	})
}

func formatted(file []byte, format string) ([]byte, error) {
	if format == formatYAML {
		return yaml(file)
	}
	return indented(file)
}

// flagFile returns what stands in the file that is to be written, nil if there is none or it is empty. What cannot be read as JSON or YAML is an error:
// it is another file, or one that a person is still working on.
func flagFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file: name another one, or leave --out out and redirect standard output", name)
	}
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(name)
	if err != nil || len(bytes.TrimSpace(content)) == 0 {
		return nil, err
	}
	if _, err := handwritten.Read(name, content); err != nil {
		return nil, &failure{code: exitInvalid, text: visible(err.Error() + "\nthe file stays as it is: correct it, remove it, or name another one")}
	}
	return content, nil
}

// export writes a flag file, of which it keeps what it can. Before is what stands in it, nil if nothing does.
func (s *session) export(name, environment string, before, file []byte, documents int) (err error) {
	after, kept := []byte(nil), false
	if before != nil {
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
	if before != nil && bytes.Equal(before, after) {
		_, err := fmt.Fprintf(s.terminal.Stdout, "%s says what %s is already\n", printable(name), environment)
		return err
	}
	if err := writeFile(name, after); err != nil {
		return err
	}
	text := fmt.Sprintf("%s of %s in %s", counted(documents, "document is", "documents are"), environment, printable(name))
	if before != nil && !kept {
		text += "; nothing of what it said before could be kept"
	}
	_, err = fmt.Fprintln(s.terminal.Stdout, text)
	return err
}

// writeFile writes a file of the user. One that exists keeps its permissions, and has the old content or the new one at any time.
func writeFile(name string, content []byte) error {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return os.WriteFile(name, content, 0o644) // #nosec G306 G703 -- a file of the user, as editors write it
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	return fileaccess.ReplaceWith(real, content, info.Mode().Perm())
}
