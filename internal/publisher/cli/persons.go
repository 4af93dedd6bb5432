package cli

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

func personCommands() []commandline.Command {
	return []commandline.Command{
		command("person list", "list the persons who have changed something", personList),
		command("person erase", "delete the name and the subject of a person for good", personErase),
	}
}

func personList() commandline.Invocation {
	f := newForm("person list", "Lists the persons whom an issuer names and who have changed something, the oldest first, erased ones too. "+
		"The log has their ids only.")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: []string{"persons"}})
		if err != nil {
			return err
		}
		return s.print(found.Body, list(
			at("PERSON", "id"), at("NAME", "name"), at("SUBJECT", "subject"), at("CREATED", "created"), at("ERASED", "erased"),
		))
	})
}

func personErase() commandline.Invocation {
	var person string
	f := newForm("person erase", "Deletes the name and the subject of a person for good. What the person did stays in the log, under an id that "+
		"no longer leads to a person. Reasons, comments and names of tokens stay as they were typed.")
	f.set.Argument(&person, "PERSON", "id of the person, or the subject that policies know, such as corp:8f3a")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		body, err := json.Marshal(map[string]string{"person": person})
		if err != nil {
			return err
		}
		found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: []string{"persons", "erase"}, Body: body}))
		if err != nil {
			return err
		}
		return s.print(found.Body, sentence("erased: histories show only this now: %s", "ids"))
	})
}
