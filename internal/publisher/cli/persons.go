package cli

import (
	"context"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
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
		found, err := s.client.Persons(ctx)
		return s.answer(found, err, list("PERSON|NAME|SUBJECT|CREATED|ERASED", found.Items, func(p api.Person) []string {
			return []string{cell(p.ID), cell(p.Name), cell(p.Subject), timeCell(p.Created), timeCell(p.Erased)}
		}))
	})
}

func personErase() commandline.Invocation {
	var person string
	f := newForm("person erase", "Deletes the name and the subject of a person for good. What the person did stays in the log, under an id that "+
		"no longer leads to a person. Reasons, comments and names of tokens stay as they were typed.")
	f.set.Argument(&person, "PERSON", "id of the person, or the subject that policies know, such as corp:8f3a")
	r := f.administers()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.ErasePerson(ctx, person, *r)
		return s.answer(found, err, sentence("erased: histories show only this now: %s", cells(found.IDs)))
	})
}
