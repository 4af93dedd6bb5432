package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

func settingsCommands() []commandline.Command {
	return []commandline.Command{
		command("settings get", "print the settings of an environment", settingsGet),
		command("settings put", "create or replace the settings of an environment", settingsPut),
	}
}

func settingsPath(environment string) []string {
	return []string{"environments", environment, "settings"}
}

func settingsGet() commandline.Invocation {
	f := newForm("settings get", "Prints the settings of an environment, which it may not have. As JSON they are as put takes them.").inEnvironment()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: settingsPath(f.environment)})
		if err != nil {
			return err
		}
		return s.printDocument(found, "settings of "+f.environment)
	})
}

// printDocument prints a document, for people with its name and revision above.
func (s *session) printDocument(found admin.Answer, name string) error {
	return s.print(found.Body, func(out io.Writer, _ any) error {
		text, err := yaml(found.Body)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "# %s at revision %s\n%s", name, revision(found.Header), text)
		return err
	})
}

func settingsPut() commandline.Invocation {
	var file string
	var create bool
	f := newForm("settings put", "Creates or replaces the settings of an environment. Unless --if-match says which revision is replaced, they are read first.").
		inEnvironment()
	w := f.writes()
	f.set.File(&file, "file", "-", "file with the settings, JSON or YAML; - is standard input").Short("f")
	f.set.Bool(&create, "create", false, "there must be no settings yet")
	f.check(func() bool { return !create || w.match == "" }, "--create and --if-match exclude each other")
	return f.runs(func(ctx context.Context, s *session) error {
		text, err := s.readDocument(file)
		if err != nil {
			return err
		}
		doc := text.JSON()
		s.writes = &source{kind: "settings", key: document.SettingsKey, text: text}
		path := settingsPath(f.environment)
		v := seen{absent: true}
		if !create {
			if v, err = s.look(ctx, path, w.match); err != nil {
				return err
			}
		}
		return w.write(ctx, s, v.on(change{
			Call:        admin.Call{Method: http.MethodPut, Path: path, Body: doc},
			environment: f.environment,
			command:     admin.Command{Type: "put", Kind: "settings", Document: doc},
			done:        "the settings of " + f.environment + " are written",
		}))
	})
}
