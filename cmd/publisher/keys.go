package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/keys"
)

// keysPlace is where the keys lie.
type keysPlace struct {
	dataDir, keys string
	root          string // file; "" if the root key lies with the others
}

func (p *keysPlace) declare(set *config.Set) {
	set.Directory(&p.dataDir, "data-dir", "", "data directory of a publisher with the embedded NATS server, which has the keys unless --keys is given")
	set.Directory(&p.keys, "keys", "", "directory of the keys, as publisher serve reads it")
}

func (p *keysPlace) declareRoot(set *config.Set) {
	set.File(&p.root, "root", "", "file with the root key, once publisher keys export-root has moved it there; without it root.key in the directory")
}

func (p *keysPlace) dir() string { return cmp.Or(p.keys, p.dataDir) }

func (p *keysPlace) check() error {
	if p.dir() == "" {
		return errors.New("name the directory of the keys with --keys or --data-dir")
	}
	return nil
}

// keysCommands work on the files with the keys, while publishers run or not.
func keysCommands() []commandline.Command {
	return []commandline.Command{
		{
			Words: []string{"keys", "init"}, Short: "make the keys of an installation", New: keysInitCommand,
			Examples: []string{"keys init keys", "keys init /etc/flagside/keys --keep"},
		},
		{
			Words: []string{"keys", "list"}, Short: "list the signing keys", New: keysListCommand,
			Examples: []string{"keys list --data-dir data/publisher", "keys list --keys keys"},
		},
		{
			Words: []string{"keys", "rotate"}, Short: "replace the signing key", New: keysRotateCommand,
			Examples: []string{"keys rotate --keys keys --root root.key", "keys rotate --keys keys --root root.key --finish"},
		},
		{
			Words: []string{"keys", "revoke"}, Short: "take a signing key away", New: keysRevokeCommand,
			Examples: []string{"keys revoke 5f0a91c2 --keys keys --root root.key", "keys revoke 5f0a91c2 --data-dir data/publisher"},
		},
		{
			Words: []string{"keys", "export-root"}, Short: "move the root key to a file", New: keysExportRootCommand,
			Examples: []string{"keys export-root /media/stick/root.key --data-dir data/publisher", "keys export-root root.key --keys keys"},
		},
	}
}

func keysInitCommand() commandline.Invocation {
	var dir string
	var keep bool
	set := config.NewSet("publisher keys init", "Makes the keys of a new installation without starting a publisher: "+
		"a root key, a signing key, the keys note and the trust file. publisher serve with a data directory does it by itself.")
	set.Argument(&dir, "DIR", "directory for the keys; it must not hold any, unless --keep is given").Directory()
	set.Bool(&keep, "keep", false, "succeed, and change nothing, if the directory has keys; for containers that start again")
	return commandline.Invocation{
		Set: set, Changes: true,
		Run: func(_ context.Context, t commandline.Terminal) error {
			made, err := keys.Init(dir)
			if keep && errors.Is(err, keys.ErrHasKeys) {
				if _, err = keys.Open(dir); err == nil {
					_, err = fmt.Fprintf(t.Stdout, "%s has keys, they stay\n", dir)
				}
				return err
			}
			if err != nil {
				return err
			}
			return printInit(t.Stdout, dir, made)
		},
	}
}

func printInit(out io.Writer, dir string, made keys.Change) error {
	file := func(name string) string { return filepath.Join(dir, name) }
	_, err := fmt.Fprintf(out, `The keys of installation %s are in %s:
  %s: secret, signs the list of signing keys; move it away with publisher keys export-root FILE --keys %s
  %s: secret, publishers sign the change log with it (key %s)
  %s: the list of signing keys, signed by the root key; public
  %s: the trust file; public, but replace it only on purpose: give every sidecar a copy with --trust-file
Start publishers with --keys %s.
`, made.Installation, dir, file(keys.RootFile), dir, file(keys.SigningFile), made.Signing, file(keys.NoteFile), file(keys.TrustFile), dir)
	return err
}

func keysListCommand() commandline.Invocation {
	var place keysPlace
	set := config.NewSet("publisher keys list", "Lists the signing keys, which of them is in use, and where the root key is.")
	place.declare(set)
	return commandline.Invocation{
		Set: set, Check: place.check,
		Run: func(_ context.Context, t commandline.Terminal) error {
			l, err := keys.List(place.dir())
			if err != nil {
				return err
			}
			printWarnings(t.Stderr, l.Warnings)
			return printListing(t.Stdout, place.dir(), l)
		},
	}
}

func printListing(out io.Writer, dir string, l keys.Listing) error {
	fmt.Fprintf(out, "installation %s\nkeys note version %d\n", l.Installation, l.Version)
	for _, key := range l.Keys {
		fmt.Fprintf(out, "signing key %s %s\n", key, key.Use)
	}
	if l.Retired {
		fmt.Fprintf(out, "key %s in %s is not listed: publishers with this directory cannot write. If a command was interrupted, run it again.\n",
			l.Signing, keys.SigningFile)
	}
	for _, root := range l.Roots {
		fmt.Fprintf(out, "root key %s is trusted\n", root)
	}
	place := "The root key is not in the directory: rotate and revoke need --root."
	if l.HasRoot {
		place = "The root key is in the directory: move it away with publisher keys export-root FILE --keys " + dir + "."
	}
	_, err := fmt.Fprintln(out, place)
	return err
}

func keysRotateCommand() commandline.Invocation {
	var place keysPlace
	var finish bool
	set := config.NewSet("publisher keys rotate", "Replaces the signing key in two steps. The first makes a new one, and both may sign. "+
		"Run it again with --finish to remove the old key. You need not restart anything.")
	place.declare(set)
	place.declareRoot(set)
	set.Bool(&finish, "finish", false, "remove the old key, once all publishers use the new one")
	return commandline.Invocation{
		Set: set, Changes: true, Check: place.check,
		Run: func(_ context.Context, t commandline.Terminal) error {
			step, report := keys.Rotate, printRotated
			if finish {
				step, report = keys.Finish, printFinished
			}
			done, err := step(place.dir(), place.root)
			if err != nil {
				return err
			}
			printWarnings(t.Stderr, done.Warnings)
			return report(t.Stdout, place.dir(), done)
		},
	}
}

func printRotated(out io.Writer, dir string, done keys.Change) error {
	_, err := fmt.Fprintf(out, `Key %s is the new signing key. Version %d of the keys note lists it beside the old one.
Publishers that read %s use it within seconds. Where publishers have copies, replace signing.key, keys.note and trust there.
When all of them use it, run publisher keys rotate --finish. Sidecars need nothing.
`, done.Signing, done.Version, dir)
	return err
}

func printFinished(out io.Writer, _ string, done keys.Change) error {
	for _, key := range done.Removed {
		fmt.Fprintf(out, "Key %s is no longer listed.\n", key)
	}
	_, err := fmt.Fprintf(out, `The rotation is finished: version %d of the keys note counts, and key %s signs.
Publishers that still use an old key stop writing: replace signing.key, keys.note and trust there. Sidecars need nothing.
`, done.Version, done.Signing)
	return err
}

func keysRevokeCommand() commandline.Invocation {
	var place keysPlace
	var id string
	set := config.NewSet("publisher keys revoke", "Revokes a signing key, for example after theft. "+
		"If it is the one in the directory, a new one takes its place.")
	set.Argument(&id, "ID", "id of the key, as publisher keys list shows it")
	place.declare(set)
	place.declareRoot(set)
	return commandline.Invocation{
		Set: set, Changes: true, Check: place.check,
		Run: func(_ context.Context, t commandline.Terminal) error {
			done, err := keys.Revoke(place.dir(), place.root, id)
			if err != nil {
				return err
			}
			printWarnings(t.Stderr, done.Warnings)
			return printRevoked(t.Stdout, id, place.dir(), done)
		},
	}
}

func printRevoked(out io.Writer, id, dir string, done keys.Change) error {
	fmt.Fprintf(out, "Key %s is revoked by version %d of the keys note.\n", id, done.Version)
	for _, key := range done.Added {
		fmt.Fprintf(out, "Key %s is the new signing key.\n", key)
	}
	_, err := fmt.Fprintf(out, `Publishers that read %s notice within seconds. Where publishers have copies, replace signing.key, keys.note and trust there.
A sidecar that is connected refuses the key as soon as a publisher has written the keys note. Give new sidecars the new trust file.
If the key was stolen, compare each environment's history with what you approved, and roll back what you did not.
`, dir)
	return err
}

func keysExportRootCommand() commandline.Invocation {
	var place keysPlace
	var file string
	set := config.NewSet("publisher keys export-root", "Moves the root key to a file, so that a break-in on this machine does not expose it.")
	set.Argument(&file, "FILE", "file to move it to; it must not exist").File()
	place.declare(set)
	return commandline.Invocation{
		Set: set, Changes: true, Check: place.check,
		Run: func(_ context.Context, t commandline.Terminal) error {
			root, err := keys.ExportRoot(place.dir(), file)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.Stdout, `Root key %s is in %s and no longer in %s.
Move the file to a place where no publisher runs, such as a password manager or a safe, and keep a second copy.
publisher keys rotate and revoke need it with --root FILE. It can replace every other key, and without it no key can be replaced.
`, root, file, place.dir())
			return err
		},
	}
}

func printWarnings(out io.Writer, warnings []string) {
	for _, warning := range warnings {
		fmt.Fprintf(out, "warning: %s\n", warning)
	}
}
