package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/flagside/flagside/sync/changelog"
)

// restored is what the files of an environment add up to.
type restored struct {
	view      *View // nil if there is none
	snapshot  changelog.Position
	tailEnd   int64 // offset in the tail behind which changes can be appended
	continued bool  // whether the tail can be appended to
}

// restore reads the newest snapshot that is proved, and what the tails add to it.
// A file that cannot be believed is reported to damaged and left out.
func (d *disk) restore(damaged func(suffix string, err error)) restored {
	for _, suffix := range []string{snapshotFile, snapshotPreviousFile} {
		s, err := readSnapshotFile(d.path(suffix), d.environment, d.keys)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			var r restored
			if r, err = d.restoreFrom(s, damaged); err == nil {
				return r
			}
		}
		damaged(suffix, err)
	}
	return restored{}
}

// restoreFrom returns what a snapshot and the tails add up to. Its error tells why
// the snapshot is not proved.
func (d *disk) restoreFrom(s state, damaged func(suffix string, err error)) (restored, error) {
	before, t := d.readTails(s.head.Position)
	changes := append(before.changes, t.changes...)
	whole := s.after(changes, d.keys)
	if err := whole.prove(d.keys, d.environment); err != nil {
		if len(changes) == 0 {
			return restored{}, err
		}
		if alone := s.prove(d.keys, d.environment); alone != nil {
			return restored{}, alone
		}
		before, t, changes = tail{}, tail{damage: fmt.Errorf("%s: %w", d.path(tailFile), err)}, nil
	}
	if before.damage != nil {
		damaged(tailPreviousFile, before.damage)
	}
	if t.damage != nil {
		damaged(tailFile, t.damage)
	}
	lastGood, err := d.readLastGood(s.head.Epoch)
	if err != nil {
		damaged(lastGoodFile, err)
	}
	view := compile(d.empty, s, lastGood).after(changes)
	return restored{view: view, snapshot: s.head.Position, tailEnd: t.end, continued: t.connects && t.damage == nil}, nil
}

// readTails returns what the tails add to a position. When the newest tail does
// not continue it, the snapshot is the previous one, or the process ended between
// renaming the snapshots and renaming the tails.
func (d *disk) readTails(at changelog.Position) (before, t tail) {
	t = d.readTail(tailFile, at)
	if t.connects {
		return tail{}, t
	}
	before = d.readTail(tailPreviousFile, at)
	if n := len(before.changes); n > 0 {
		at = before.changes[n-1].head.Position
	}
	return before, d.readTail(tailFile, at)
}

// after returns the state after changes. Keys notes among them are adopted, so
// that it is known who signed.
func (s state) after(changes []change, keys *changelog.Keyring) state {
	d := newDraft(s)
	d.apply(changes)
	for _, c := range changes {
		for _, doc := range c.documents {
			if doc.Kind != changelog.KindKeys {
				continue
			}
			if text, err := changelog.KeysText(doc.Body); err == nil {
				_ = keys.Adopt(text) // what no root signed does not count
			}
		}
	}
	return d.freeze()
}

func (v *View) after(changes []change) *View {
	if len(changes) == 0 {
		return v
	}
	return v.with(changes)
}

func readSnapshotFile(path, environment string, keys *changelog.Keyring) (state, error) {
	f, err := os.Open(path)
	if err != nil {
		return state{}, err
	}
	defer func() { _ = f.Close() }()
	s, err := decodeSnapshot(f, environment, keys)
	if err != nil {
		return state{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// decodeSnapshot reads a snapshot whose proof is still to be verified, and takes
// its keys note over.
func decodeSnapshot(in io.Reader, environment string, keys *changelog.Keyring) (state, error) {
	r, err := changelog.NewUnprovedSnapshotReader(in)
	if err != nil {
		return state{}, err
	}
	defer r.Close()
	if note := r.Header().Keys; note != "" {
		if err := keys.Adopt(note); err != nil {
			return state{}, fmt.Errorf("%w: %w", changelog.ErrUnproved, err)
		}
	}
	return readState(r, environment)
}

// readState reads all documents of a snapshot of the environment.
func readState(r *changelog.SnapshotReader, environment string) (state, error) {
	h := r.Header()
	if h.Environment != environment {
		return state{}, fmt.Errorf("it is a snapshot of environment %q, not of %q", h.Environment, environment)
	}
	d := newDraft(emptyState())
	for {
		doc, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return state{}, err
		}
		d.put(doc)
	}
	if d.documents.count != h.Count {
		return state{}, fmt.Errorf("it holds %d documents %d times", d.documents.count, h.Count)
	}
	d.head = h.Head
	return d.freeze(), nil
}

// tail is the part of a tail file that follows a position.
type tail struct {
	changes  []change
	connects bool  // whether the position is in the file
	end      int64 // offset behind the last record that can be believed
	damage   error // why the rest cannot be believed
}

// readTail reads what a tail adds to a position. A file that does not exist
// adds nothing; a last record that was cut off does not count.
func (d *disk) readTail(suffix string, at changelog.Position) tail {
	path := d.path(suffix)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return tail{}
	}
	if err != nil {
		return tail{damage: err}
	}
	t, err := decodeTail(data, d.environment, at)
	if err != nil {
		t.damage = fmt.Errorf("%s: %w", path, err)
	}
	return t
}

func decodeTail(data []byte, environment string, at changelog.Position) (tail, error) {
	r, err := newTailReader(data)
	if err != nil {
		return tail{}, err
	}
	if r.header.Environment != environment {
		return tail{}, fmt.Errorf("it is a tail of environment %q, not of %q", r.header.Environment, environment)
	}
	t := tail{connects: r.last == at, end: int64(r.offset)}
	for r.more() {
		c, err := r.next()
		if errors.Is(err, errTailTorn) {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		t.end = int64(r.offset)
		if t.connects {
			t.changes = append(t.changes, c)
		}
		t.connects = t.connects || r.last == at
	}
	return t, nil
}
