package cli

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/flagside/flagside/internal/publisher/admin"
)

// changeCommands returns the sub-commands by which flags and segments are changed in parts.
func (k kind) changeCommands() []Command {
	return []Command{
		{words(k.one + " patch"), "change members of a " + k.one, k.patch},
		{words(k.one + " archive"), "delete a " + k.one + ", with all that depends on it if need be", k.archive},
		{words(k.one + " revive"), "bring a " + k.one + " back that was deleted", k.revive},
		{words(k.one + " rollback"), "make a " + k.one + " what it was at a revision", k.rollback},
	}
}

func (k kind) patch() Invocation {
	var key, file string
	f := newForm(k.one+" patch", "Changes members of a "+k.one+" by a JSON Merge Patch (RFC 7396): null removes one.").inEnvironment()
	k.key(f, &key)
	w := f.writes()
	f.set.String(&file, "file", "-", "file with the patch, JSON or YAML; - is standard input").Short("f")
	return f.runs(func(ctx context.Context, s *session) error {
		text, err := s.readDocument(file)
		if err != nil {
			return err
		}
		patch := text.JSON()
		c := k.change(f, key, "patch", http.MethodPatch)
		c.Body, c.Media, c.command.Patch = patch, admin.MergePatchMedia, patch
		c.done = k.one + " " + printable(key) + " is changed"
		return w.writeExisting(ctx, s, c, k.path(f.environment, key))
	})
}

func (k kind) archive() Invocation {
	var key string
	var force bool
	f := newForm(k.one+" archive", "Deletes a "+k.one+". With --force everything that depends on it goes along. Its history stays, and revive brings it back.").inEnvironment()
	k.key(f, &key)
	w := f.writes()
	f.set.Bool(&force, "force", false, "delete everything that depends on it too, in the same transaction")
	return f.runs(func(ctx context.Context, s *session) error {
		body, err := json.Marshal(map[string]bool{"force": force})
		if err != nil {
			return err
		}
		c := k.change(f, key, "archive", http.MethodPost, "archive")
		c.Body, c.command.Force = body, force
		c.done = k.one + " " + printable(key) + " is archived"
		c.hint = "publisher " + k.one + " revive " + printable(key) + " -e " + f.environment + " brings it back"
		return w.writeExisting(ctx, s, c, k.path(f.environment, key))
	})
}

func (k kind) rollback() Invocation {
	var key, to string
	f := newForm(k.one+" rollback", "Makes a "+k.one+" what it was at a revision of its environment, as a new change.").inEnvironment()
	k.key(f, &key)
	w := f.changes()
	f.revision(&to, "to", "revision to return to, as history shows it").Require()
	return f.runs(func(ctx context.Context, s *session) error {
		body, err := json.Marshal(map[string]string{"revision": to})
		if err != nil {
			return err
		}
		c := k.change(f, key, "rollback", http.MethodPost, "rollback")
		c.Body, c.command.Revision = body, to
		c.done = k.one + " " + printable(key) + " is what it was at " + to
		return w.write(ctx, s, c)
	})
}

func toggleCommand() Command {
	return Command{words("flag toggle"), "turn a flag on or off", func() Invocation {
		var key, state string
		f := newForm("flag toggle", "Turns a flag on or off. A flag that is off answers the default of the application.").inEnvironment()
		flagKind().key(f, &key)
		f.set.Argument(&state, "STATE", "on or off")
		w := f.writes()
		f.check(func() bool { return state == "on" || state == "off" }, "STATE is on or off")
		return f.runs(func(ctx context.Context, s *session) error {
			on := state == "on"
			body, err := json.Marshal(map[string]bool{"on": on})
			if err != nil {
				return err
			}
			c := flagKind().change(f, key, "toggle", http.MethodPost, "toggle")
			c.Body, c.command.On = body, on
			c.done = "flag " + printable(key) + " is " + state
			return w.writeExisting(ctx, s, c, flagKind().path(f.environment, key))
		})
	}}
}

// writeExisting is write for a change of a document that must exist, at the path.
func (w *writing) writeExisting(ctx context.Context, s *session, c change, path []string) error {
	v, err := s.existing(ctx, path, w.match)
	if err != nil {
		return err
	}
	return w.write(ctx, s, v.on(c))
}
