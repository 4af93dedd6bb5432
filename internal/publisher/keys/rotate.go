package keys

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flagside/flagside/sync/changelog"
)

// Rotate is the first step of a rotation: a new signing key takes the place of the one in the directory, and the next keys note lists
// both, so that publishers with either may write. The root key is read from rootFile, or from the directory if that is empty.
func Rotate(dir, rootFile string) (Change, error) { return directory{path: dir}.rotate(rootFile) }

// Finish is the second step: the next keys note does not list the key of before. Publishers that still sign with it stop writing.
func Finish(dir, rootFile string) (Change, error) { return directory{path: dir}.finish(rootFile) }

// Revoke takes a signing key out of the keys note, whatever it is used for. If it is the one in the directory, a new one takes its place.
func Revoke(dir, rootFile, keyID string) (Change, error) {
	return directory{path: dir}.revoke(rootFile, keyID)
}

func (d directory) rotate(rootFile string) (Change, error) {
	return d.change(rootFile, func(c *changing) error {
		switch rotating := c.old != (changelog.Key{}); {
		case rotating && c.completed:
			return nil // an interrupted rotation has taken its first step now
		case rotating:
			return fmt.Errorf("a rotation is not finished: key %s is still listed beside %s; run publisher keys rotate --finish", c.old, c.signing)
		}
		next, err := c.next()
		if err != nil {
			return err
		}
		return c.list(append(c.note().PublicKeys(), next))
	})
}

func (d directory) finish(rootFile string) (Change, error) {
	return d.change(rootFile, func(c *changing) error {
		switch {
		case c.installed:
			return errors.New("the rotation was interrupted and has only now taken its first step: " +
				"run publisher keys rotate --finish when all publishers use the new key")
		case c.old == (changelog.Key{}) && c.completed:
			return nil // an interrupted second step is complete now
		case c.old == (changelog.Key{}):
			return errors.New("no rotation has begun: begin one with publisher keys rotate")
		}
		return c.list(without(c.note().PublicKeys(), c.old.String()))
	})
}

func (d directory) revoke(rootFile, keyID string) (Change, error) {
	return d.change(rootFile, func(c *changing) error {
		all := c.note().PublicKeys()
		rest := without(all, keyID)
		if len(rest) == len(all) {
			if c.completed {
				return nil // an interrupted revocation is complete now
			}
			return fmt.Errorf("version %d of the keys note lists no key %s: see the listed keys with publisher keys list", c.note().Version, keyID)
		}
		if !slices.Contains(rest, c.signing) {
			next, err := c.next()
			if err != nil {
				return err
			}
			rest = append(rest, next)
		}
		return c.list(rest)
	})
}

func without(all []changelog.Key, id string) []changelog.Key {
	return slices.DeleteFunc(slices.Clone(all), func(k changelog.Key) bool { return k.String() == id })
}

// changing is a directory while a command changes it.
type changing struct {
	*state
	root      string        // secret
	old       changelog.Key // in signing.key.previous, while the keys note lists it
	completed bool          // settle had something to do
	installed bool          // settle has put a new key into signing.key
}

// change lets a command choose the next keys note, once what was interrupted before is complete.
func (d directory) change(rootFile string, choose func(*changing) error) (Change, error) {
	unlock, err := d.lockToChange()
	if err != nil {
		return Change{}, err
	}
	defer unlock()
	s, err := d.load()
	if err != nil {
		return Change{}, err
	}
	if err := s.ring.Supported(); err != nil {
		return Change{}, err
	}
	before := s.trust.Floor().PublicKeys()
	c := &changing{state: s}
	if c.root, err = s.readRoot(rootFile); err != nil {
		return Change{}, err
	}
	if err := c.settle(); err != nil {
		return Change{}, err
	}
	if err := choose(c); err != nil {
		return Change{}, err
	}
	now := c.note()
	return Change{
		Installation: now.Installation, Version: now.Version, Signing: c.signing, Warnings: c.warnings,
		Added: missing(now.PublicKeys(), before), Removed: missing(before, now.PublicKeys()),
	}, nil
}

// missing returns the keys of some that others have not.
func missing(some, others []changelog.Key) []changelog.Key {
	return slices.DeleteFunc(slices.Clone(some), func(k changelog.Key) bool { return slices.Contains(others, k) })
}

// readRoot returns the root key, of which the trust file has to know the public part.
func (s *state) readRoot(file string) (string, error) {
	if file == "" {
		if !s.exists(RootFile) {
			return "", fmt.Errorf("%s: %w: give the file that it was moved to with --root", s.path, ErrNoRoot)
		}
		file = s.file(RootFile)
	}
	secret, key, err := s.readKey(file)
	if err != nil {
		return "", err
	}
	if !slices.Contains(s.trust.Roots(), key) {
		return "", fmt.Errorf("%s: key %s is not a root key that %s names: give the right file with --root", file, key, s.file(TrustFile))
	}
	return secret, nil
}

func (s *state) note() changelog.KeysNote { return s.ring.Note() }

// next returns a signing key that no keys note lists yet.
func (c *changing) next() (changelog.Key, error) {
	_, key, err := c.provide(nextFile, c.trust.Installation())
	if err == nil && key.Installation != c.trust.Installation() {
		err = fmt.Errorf("%s: it is a key of installation %s: remove it", c.file(nextFile), key.Installation)
	}
	return key, err
}

// list makes these keys the ones that may sign.
func (c *changing) list(keys []changelog.Key) error {
	public := make([]string, 0, len(keys))
	for _, key := range keys {
		public = append(public, key.Public)
	}
	n, err := changelog.NewKeysNote(c.trust.Installation(), c.note().Version+1, c.root, public...)
	if err != nil {
		return err
	}
	if _, err := c.trust.WithFloor(n.Text); err != nil {
		return err
	}
	if err := c.write(NoteFile, n.Text, publicMode); err != nil {
		return err
	}
	c.written = n.Text
	if err := c.ring.Propose(n.Text); err != nil {
		return err
	}
	return c.settle()
}

// settle makes the files follow the newest keys note. It does nothing where they do.
func (c *changing) settle() error {
	for _, follow := range []func() error{c.settleNote, c.settleSigning, c.settlePrevious, c.settleTrust} {
		if err := follow(); err != nil {
			return err
		}
	}
	return nil
}

// settleNote is needed where the trust file has a newer note.
func (c *changing) settleNote() error {
	if c.written == c.note().Text {
		return nil
	}
	c.written, c.completed = c.note().Text, true
	return c.write(NoteFile, c.written, publicMode)
}

// settleSigning puts a new key in its place once it is listed. The one of before is kept while it is listed, too.
func (c *changing) settleSigning() error {
	secret, next, err := c.optional(nextFile)
	if err != nil || !c.ring.Signs(next.ID) {
		return err
	}
	if c.ring.Signs(c.signing.ID) {
		if err := c.write(PreviousFile, c.secret+"\n", secretMode); err != nil {
			return err
		}
	}
	if err := c.rename(nextFile, SigningFile); err != nil {
		return err
	}
	c.secret, c.signing, c.completed, c.installed = secret, next, true, true
	return nil
}

func (c *changing) settlePrevious() error {
	_, previous, err := c.optional(PreviousFile)
	if err != nil || previous == (changelog.Key{}) {
		return err
	}
	if c.ring.Signs(previous.ID) {
		c.old = previous
		return nil
	}
	c.old, c.completed = changelog.Key{}, true
	return c.remove(PreviousFile)
}

func (c *changing) settleTrust() error {
	if c.trust.Floor().Text == c.note().Text {
		return nil
	}
	trust, err := c.trust.WithFloor(c.note().Text)
	if err != nil {
		return err
	}
	c.trust, c.completed = trust, true
	return c.write(TrustFile, trust.String(), publicMode)
}
