package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/client"
)

func (k kind) edit() commandline.Invocation {
	var key string
	f := newForm(k.one+" edit", "Opens a "+k.one+" in your editor (VISUAL or EDITOR), and writes it when you save and close it. If the publisher refuses it, "+
		"or it was changed meanwhile, your text stays in a file that is named.").inEnvironment()
	k.key(f, &key)
	w := f.changes()
	return f.runs(func(ctx context.Context, s *session) error {
		before, err := s.side(ctx, k, f.environment, key)
		if err != nil {
			return err
		}
		if before.text == "" {
			_, _, err := s.client.Document(ctx, f.environment, k.id(key)) // which says that it does not exist
			return err
		}
		file, text, err := s.edited(ctx, k.one+"-*.json", before.text)
		if err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx) // an interrupt was for the editor
		if strings.TrimSpace(text) == strings.TrimSpace(before.text) {
			_, err := fmt.Fprintln(s.terminal.Stdout, "nothing was edited, nothing is changed")
			return errors.Join(err, os.Remove(file))
		}
		err = s.writeEdited(ctx, k, f, w, key, before.revision, file)
		if ExitCode(err) == exitNotServed { // it is written
			return errors.Join(err, os.Remove(file))
		}
		if err != nil {
			return s.keptText(ctx, k, f.environment, key, before, file, err)
		}
		return os.Remove(file)
	})
}

// edited returns what a person makes of a text in an editor, and the file that it is in.
func (s *session) edited(ctx context.Context, pattern, text string) (file, after string, err error) {
	lookup := config.Lookup(s.terminal.Environ)
	editor := ""
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if value, ok := lookup(name); ok && editor == "" {
			editor = strings.TrimSpace(value)
		}
	}
	if editor == "" {
		return "", "", &failure{code: exitFailure, text: "there is no editor: set EDITOR, or use get and put"}
	}
	f, err := os.CreateTemp("", "flagside-"+pattern)
	if err != nil {
		return "", "", err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", "", errors.Join(err, os.Remove(f.Name()))
	}
	words := append(strings.Fields(editor), f.Name())
	// The editor decides itself what an interrupt means.
	c := exec.CommandContext(context.WithoutCancel(ctx), words[0], words[1:]...) // #nosec G204 -- the editor of the user
	c.Stdin, c.Stdout, c.Stderr = s.terminal.Stdin, s.terminal.Stdout, s.terminal.Stderr
	if err := c.Run(); err != nil {
		return "", "", fmt.Errorf("%s: %w; your text is in %s", editor, err, f.Name())
	}
	content, err := os.ReadFile(f.Name())
	return f.Name(), string(content), err
}

func (s *session) writeEdited(ctx context.Context, k kind, f *form, w *changeFlags, key, match, file string) error {
	text, err := s.readDocument(file)
	if err != nil {
		return err
	}
	seen, err := client.Match(match)
	if err != nil {
		return err
	}
	s.writes = &origin{id: k.id(key), text: text}
	c := k.change(f, key, "put")
	c.command.Document = text.JSON()
	c.done = k.one + " " + printable(key) + " is written"
	return w.write(ctx, s, c.on(seen))
}

// keptText says where the text is that could not be written, and what others have changed meanwhile.
func (s *session) keptText(ctx context.Context, k kind, environment, key string, before side, file string, cause error) error {
	f, ok := errors.AsType[*failure](s.failure(ctx, cause))
	if !ok {
		return fmt.Errorf("%w\nyour text is in %s", cause, file)
	}
	kept := *f
	if f.code == exitConflict {
		if now, err := s.side(ctx, k, environment, key); err == nil && now.text != before.text {
			kept.text += "\nit was changed while you edited it:\n" + strings.TrimRight(difference(before, now), "\n")
		}
	}
	write := fmt.Sprintf("flagside %s put %s -e %s -f %s --if-match %s", k.one, shellWord(key), environment, file, before.revision)
	switch f.code {
	case exitConflict:
		kept.text += fmt.Sprintf("\nyour text is in %s: take over what you need from it with flagside %s edit %s -e %s", file, k.one, shellWord(key), environment)
	case exitApproval:
		kept.text += fmt.Sprintf("\nyour text is in %s: propose it with %s --propose", file, write)
	default:
		kept.text += fmt.Sprintf("\nyour text is in %s: correct it if need be, and write it with %s", file, write)
	}
	return &kept
}
