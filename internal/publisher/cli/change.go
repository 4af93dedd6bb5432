package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// change is something to be done to the documents of an environment.
type change struct {
	environment string
	command     api.Command
	seen        client.Precondition
	done        string // what is said when it is done
	hint        string // what is said after that, if anything
}

// on returns the change with what its author has seen.
func (c change) on(seen client.Precondition) change {
	c.seen = seen
	c.command.IfMatch, c.command.IfAbsent = seen.Revision(), seen.Absent
	return c
}

// document returns the id of the document that a change is about; the zero value if it is about several.
func (c change) document() document.ID {
	id := document.ID{Kind: document.Kind(c.command.Kind), Key: c.command.Key}
	if id.Kind == document.KindSettings {
		id.Key = document.SettingsKey
	}
	return id
}

// precondition returns what is seen of a document: the revision that an option names, or the one that it has now. It must exist.
func (s *session) precondition(ctx context.Context, environment string, id document.ID, match string) (client.Precondition, error) {
	if match != "" {
		return client.Match(match)
	}
	_, seen, err := s.client.Document(ctx, environment, id)
	return seen, err
}

// preconditionOrAbsent is precondition for a document that may not exist.
func (s *session) preconditionOrAbsent(ctx context.Context, environment string, id document.ID, match string) (client.Precondition, error) {
	seen, err := s.precondition(ctx, environment, id, match)
	if isAbsent(err) {
		return client.Precondition{Absent: true}, nil
	}
	return seen, err
}

// writeExisting is write for a change of a document that must exist.
func (w *changeFlags) writeExisting(ctx context.Context, s *session, c change) error {
	seen, err := s.precondition(ctx, c.environment, c.document(), w.match)
	if err != nil {
		return err
	}
	return w.write(ctx, s, c.on(seen))
}

// writeSeen is write for a change that was made from what is seen of a document, unless an option says what it must be.
func (w *changeFlags) writeSeen(ctx context.Context, s *session, c change, seen client.Precondition) error {
	if w.match != "" {
		return w.writeExisting(ctx, s, c)
	}
	return w.write(ctx, s, c.on(seen))
}

// write makes a change, or what the options ask for instead, and prints what became of it.
func (w *changeFlags) write(ctx context.Context, s *session, c change) error {
	switch {
	case w.dryRun || w.impact:
		return w.preview(ctx, s, c)
	case w.propose || w.rebase != "" || w.breakGlass || w.applyAt != "":
		return w.open(ctx, s, c)
	}
	found, err := s.carryOut(ctx, c, w.headers())
	err = s.answer(found, err, func(out io.Writer) error {
		done := c.done
		if c.command.Type == "rollback" && deletes(found) {
			done += ", which is not there: it is deleted"
		}
		if err := written(out, found, done); err != nil || c.hint == "" {
			return err
		}
		_, err := fmt.Fprintln(out, c.hint)
		return err
	})
	if err != nil {
		return err
	}
	return w.then(ctx, s, c.environment, found.Revision)
}

// carryOut makes a change at once, by the operation that its command stands for.
func (s *session) carryOut(ctx context.Context, c change, h api.ChangeHeaders) (api.Written, error) {
	environment, id, command := c.environment, c.document(), c.command
	switch {
	case command.Type == "put":
		found, _, err := s.client.Put(ctx, environment, id, command.Document, c.seen, h)
		return found, err
	case command.Type == "patch":
		return s.client.Patch(ctx, environment, id, command.Patch, c.seen, h)
	case command.Type == "delete":
		return s.client.Delete(ctx, environment, id, c.seen, h)
	case command.Type == "toggle":
		return s.client.Toggle(ctx, environment, id.Key, command.On, c.seen, h)
	case command.Type == "archive":
		return s.client.Archive(ctx, environment, id, command.Force, c.seen, h)
	case command.Type == "rollback" && id.Key != "":
		return s.client.RollBack(ctx, environment, id, command.Revision, h)
	case command.Type == "rollback":
		return s.client.RollBackEnvironment(ctx, environment, command.Revision, h)
	case command.Type == "documents":
		return s.client.ChangeDocuments(ctx, environment, api.ChangeDocuments{Changes: command.Changes}, h)
	case command.Type == "promote":
		return s.client.Promote(ctx, environment, api.PromoteEnvironment{From: command.From, Flags: command.Flags, Prune: command.Prune}, h)
	default:
		return api.Written{}, fmt.Errorf("a command of type %s can only be proposed", command.Type)
	}
}

// written says what became of a change.
func written(out io.Writer, w api.Written, done string) error {
	text := fmt.Sprintf("%s: revision %s", done, cell(w.Revision))
	if !w.Changed {
		text = done + ": nothing to change"
	}
	_, err := fmt.Fprintln(out, text+effects(w.Effects)+warnings(w.Warnings))
	return err
}

// deletes reports whether a change of one document has deleted it.
func deletes(w api.Written) bool { return len(w.Effects) == 1 && w.Effects[0].Done == "deleted" }

// warnings returns a line for each slip that is tolerated, with what to do about it; each begins with a line break.
func warnings(all []api.ProblemPlace) (text string) {
	for _, w := range all {
		text += "\nwarning: " + words(w.Kind, w.Key, w.Pointer, w.Reason)
		if w.Hint != "" {
			text += " (" + printable(w.Hint) + ")"
		}
	}
	return text
}

// shownEffects is how many documents are named for each thing that was done to some.
const shownEffects = 20

// effects names the documents of a change of several, by what was done to them.
func effects(all []api.Effect) (text string) {
	if len(all) < 2 {
		return ""
	}
	for _, done := range []string{"added", "changed", "deleted"} {
		var named []string
		for _, effect := range all {
			if effect.Done == done {
				named = append(named, effect.Kind+" "+effect.Key)
			}
		}
		if more := len(named) - shownEffects; more > 0 {
			named = append(named[:shownEffects], fmt.Sprintf("%d more", more))
		}
		if len(named) > 0 {
			text += "\n" + done + ": " + cells(named)
		}
	}
	return text
}
