package cli

import (
	"context"
	"slices"

	"github.com/flagside/flagside/internal/commandline"
)

// flagCommands are what people do with flags, most used first.
func flagCommands() []commandline.Command {
	k := flagKind()
	return slices.Concat(
		[]commandline.Command{
			command("flag list", "list flags, with filters, in one or all environments", flagList),
			command("flag create", "create a flag from its values", flagCreate),
			toggleCommand(),
			command("flag rollout", "give variants to percentages of the users", flagRollout),
			command("flag evaluate", "say what a flag answers for a context, and why", flagEvaluate),
		},
		k.commands(), k.changeCommands(),
	)
}

// segmentCommands are what people do with segments.
func segmentCommands() []commandline.Command {
	k := segmentKind()
	return slices.Concat(
		[]commandline.Command{
			command("segment list", "list the segments of an environment", segmentList),
			command("segment add", "add values to the list of a segment", segmentAdd),
			command("segment remove", "remove values from the list of a segment", segmentRemove),
		},
		k.commands(), k.changeCommands(),
	)
}

// changeCommands returns the sub-commands by which flags and segments are changed in parts.
func (k kind) changeCommands() []commandline.Command {
	return []commandline.Command{
		command(k.one+" patch", "change members of a "+k.one, k.patch),
		command(k.one+" archive", "delete a "+k.one+", with all that depends on it if need be", k.archive),
		command(k.one+" revive", "bring a "+k.one+" back that was deleted", k.revive),
		command(k.one+" rollback", "undo the last change of a "+k.one+", or return to a revision", k.rollback),
		command(k.one+" edit", "change a "+k.one+" in your editor", k.edit),
		command(k.one+" copy", "create a "+k.one+" as a copy of another one", k.copy),
	}
}

func (k kind) patch() commandline.Invocation {
	var key, file string
	f := newForm(k.one+" patch", "Changes members of a "+k.one+" by a JSON Merge Patch (RFC 7396): null removes one.").inEnvironment()
	k.key(f, &key)
	w := f.writes()
	f.set.File(&file, "file", "-", "file with the patch, JSON or YAML; - is standard input").Short("f")
	return f.runs(func(ctx context.Context, s *session) error {
		text, err := s.readDocument(file)
		if err != nil {
			return err
		}
		c := k.change(f, key, "patch")
		c.command.Patch = text.JSON()
		c.done = k.one + " " + printable(key) + " is changed"
		return w.writeExisting(ctx, s, c)
	})
}

func (k kind) archive() commandline.Invocation {
	var key, referring string
	var force bool
	f := newForm(k.one+" archive", "Deletes a "+k.one+". With --force everything that depends on it goes along. Its history stays, and revive brings it back.").inEnvironment()
	k.key(f, &key)
	w := f.writes()
	f.set.Bool(&force, "force", false, "delete everything that depends on it too, in the same transaction")
	k.referencesOption(f, &referring)
	k.inUseOption(f, w)
	return f.runs(func(ctx context.Context, s *session) error {
		if err := unreferenced(referring, key); err != nil {
			return err
		}
		c := k.change(f, key, "archive")
		c.command.Force, c.command.InUse = force, w.inUse
		c.done = k.one + " " + printable(key) + " is archived"
		c.hint = "flagside " + k.one + " revive " + shellWord(key) + " -e " + f.environment + " brings it back"
		return w.writeExisting(ctx, s, c)
	})
}

func (k kind) rollback() commandline.Invocation {
	var key, to string
	f := newForm(k.one+" rollback", "Makes a "+k.one+" what it was before its last change, or at a revision of its environment. It is a new change: the history stays. Run twice, it brings the change back.").inEnvironment()
	k.key(f, &key)
	w := f.changes()
	f.revision(&to, "to", "revision to return to, as history shows it; without it the one before the last change")
	return f.runs(func(ctx context.Context, s *session) error {
		to := to
		if to == "" {
			var err error
			if to, err = k.beforeLast(ctx, s, f.environment, key); err != nil {
				return err
			}
			s.also = " --to " + to
		}
		c := k.change(f, key, "rollback")
		c.command.Revision = to
		c.done = k.one + " " + printable(key) + " is what it was at " + to
		return w.write(ctx, s, c)
	})
}

func toggleCommand() commandline.Command {
	return command("flag toggle", "turn a flag on or off", func() commandline.Invocation {
		var key, state string
		f := newForm("flag toggle", "Turns a flag on or off. A flag that is off answers the default of the application.").inEnvironment()
		flagKind().key(f, &key)
		f.set.Argument(&state, "STATE", "on or off").OneOf("on", "off")
		w := f.writes()
		return f.runs(func(ctx context.Context, s *session) error {
			c := flagKind().change(f, key, "toggle")
			c.command.On = state == "on"
			c.done = "flag " + printable(key) + " is " + state
			return w.writeExisting(ctx, s, c)
		})
	})
}
