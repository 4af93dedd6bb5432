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

// restore reads the newest good snapshot and what the tails add to it. A file
// that cannot be believed is reported to damaged and left out.
func (d *disk) restore(damaged func(suffix string, err error)) restored {
	s, ok := d.newestSnapshot(damaged)
	if !ok {
		return restored{}
	}
	lastGood, err := d.readLastGood(s.position.Epoch)
	if err != nil {
		damaged(lastGoodFile, err)
	}
	r := restored{view: compile(d.empty, s, lastGood), snapshot: s.position}
	t := d.readTail(tailFile, s.position)
	if !t.connects {
		// The snapshot is the previous one, or the process ended between
		// renaming the snapshots and renaming the tails.
		before := d.readTail(tailPreviousFile, s.position)
		r.view = r.view.after(before.changes)
		if before.damage != nil {
			damaged(tailPreviousFile, before.damage)
		}
		t = d.readTail(tailFile, r.view.Position())
	}
	if t.damage != nil {
		damaged(tailFile, t.damage)
	}
	r.view = r.view.after(t.changes)
	r.tailEnd, r.continued = t.end, t.connects && t.damage == nil
	return r
}

func (v *View) after(changes []change) *View {
	if len(changes) == 0 {
		return v
	}
	return v.with(changes)
}

func (d *disk) newestSnapshot(damaged func(suffix string, err error)) (state, bool) {
	for _, suffix := range []string{snapshotFile, snapshotPreviousFile} {
		s, err := readSnapshotFile(d.path(suffix), d.environment)
		switch {
		case err == nil:
			return s, true
		case !errors.Is(err, fs.ErrNotExist):
			damaged(suffix, err)
		}
	}
	return state{}, false
}

func readSnapshotFile(path, environment string) (state, error) {
	f, err := os.Open(path)
	if err != nil {
		return state{}, err
	}
	defer func() { _ = f.Close() }()
	s, err := decodeSnapshot(f, environment)
	if err != nil {
		return state{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func decodeSnapshot(in io.Reader, environment string) (state, error) {
	r, err := changelog.NewSnapshotReader(in)
	if err != nil {
		return state{}, err
	}
	defer r.Close()
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
	d.position = h.Position
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
