package cli

import (
	"context"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

func settingsCommands() []commandline.Command {
	return []commandline.Command{
		command("settings get", "print the settings of an environment", settingsGet),
		command("settings put", "create or replace the settings of an environment", settingsPut),
	}
}

func settingsID() document.ID {
	return document.ID{Kind: document.KindSettings, Key: document.SettingsKey}
}

func settingsGet() commandline.Invocation {
	f := newForm("settings get", "Prints the settings of an environment, which it may not have. As JSON they are as put takes them.").inEnvironment()
	return f.runs(func(ctx context.Context, s *session) error {
		return s.printDocument(ctx, f.environment, settingsID(), "settings of "+f.environment)
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
		s.writes = &origin{id: settingsID(), text: text}
		seen := client.Precondition{Absent: true}
		if !create {
			if seen, err = s.preconditionOrAbsent(ctx, f.environment, settingsID(), w.match); err != nil {
				return err
			}
		}
		return w.write(ctx, s, change{
			environment: f.environment,
			command:     api.Command{Type: "put", Kind: "settings", Document: text.JSON()},
			done:        "the settings of " + f.environment + " are written",
		}.on(seen))
	})
}
