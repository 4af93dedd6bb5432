package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/flagside/flagside/document"
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

// restoreFrom returns what a snapshot and the tails add up to, as far as that is
// proved. Its error tells why nothing of it is.
func (d *disk) restoreFrom(s state, damaged func(suffix string, err error)) (restored, error) {
	before, t := d.readTails(s.head.Position)
	changes := slices.Concat(before.changes, t.changes)
	adoptKeys(changes, d.keys)
	lastGood, lastGoodErr := d.readLastGood()
	view, proved := d.build(s, changes, lastGood)
	if view == nil {
		return restored{}, s.prove(d.keys, d.environment)
	}
	if proved < len(changes) {
		err := fmt.Errorf("%w: what follows revision %d", changelog.ErrUnproved, view.Position().Revision)
		if proved < len(before.changes) {
			before.damage = fmt.Errorf("%s: %w", d.path(tailPreviousFile), err)
		} else {
			t.damage = fmt.Errorf("%s: %w", d.path(tailFile), err)
		}
	}
	if before.damage != nil {
		damaged(tailPreviousFile, before.damage)
	}
	if t.damage != nil {
		damaged(tailFile, t.damage)
	}
	if lastGoodErr != nil {
		damaged(lastGoodFile, lastGoodErr)
	}
	continued := t.connects && t.damage == nil && proved == len(changes)
	return restored{view: view, snapshot: s.head.Position, tailEnd: t.end, continued: continued}, nil
}

// build returns the View of a state and as many of the changes as lead to one that
// is proved, and how many that are; nil if none of the states is proved.
//
// The last state proves every document that it has. When one of them does not
// compile, an older version is served, which has to belong to a state that is
// proved, too.
func (d *disk) build(s state, changes []change, lastGood []goodVersion) (view *View, proved int) {
	if whole := s.after(changes); whole.prove(d.keys, d.environment) == nil {
		if view, ok := d.load(whole, changes, lastGood); ok {
			return view, len(changes)
		}
		view = d.compile(whole, lastGood)
		if view.rules.Problems().Err() == nil {
			return view, len(changes)
		}
		view = nil
	}
	for i := 0; ; i++ {
		if s.prove(d.keys, d.environment) == nil {
			if view == nil {
				view = d.compile(s, lastGood)
			} else {
				view, _ = view.become(s, latest(changes[proved:i]))
			}
			proved = i
		}
		if i == len(changes) {
			return view, proved
		}
		s = s.after(changes[i : i+1])
	}
}

// load returns the View of a state that is proved and that changes lead to, with most flags still to be compiled. ok is false if an older version
// may have to be served of a document that changed.
//
// What a flag in the changes was before counts only if the flag, or one that depends on it, does not compile now: these are compiled at once.
// Whatever depends on something else that changed would have to be, too.
func (d *disk) load(s state, changes []change, lastGood []goodVersion) (view *View, ok bool) {
	now := make(map[string]bool)
	for _, doc := range latest(changes) {
		switch doc.Kind {
		case document.KindFlag:
			now[doc.Key] = true
		case document.KindKeys:
		default:
			return nil, false
		}
	}
	if len(lastGood) > 0 {
		return nil, false
	}
	return d.empty.loaded(s, now)
}

// compile returns the View of a state that is proved.
func (d *disk) compile(s state, lastGood []goodVersion) *View {
	known := slices.DeleteFunc(slices.Clone(lastGood), func(v goodVersion) bool { return v.head.Epoch.Later(s.head.Epoch) })
	return compile(d.empty, s, known)
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

// after returns the state after changes.
func (s state) after(changes []change) state {
	d := newDraft(s)
	d.apply(changes)
	return d.freeze()
}

// adoptKeys takes the keys notes among changes over, so that it is known who
// signed.
func adoptKeys(changes []change, keys *changelog.Keyring) {
	for _, c := range changes {
		for _, doc := range c.documents {
			if doc.Kind != document.KindKeys {
				continue
			}
			if text, err := changelog.KeysText(doc.Body); err == nil {
				_ = keys.Adopt(text) // what no root signed does not count
			}
		}
	}
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

// decodeSnapshot reads a snapshot and takes its keys note over. A key of the
// installation signed it, but it is still to be proved: the key may have been
// retired since.
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
	if err := keys.VerifyPastHead(r.Header().Environment, r.Header().Head); err != nil {
		return state{}, fmt.Errorf("%w: revision %d: %w", changelog.ErrUnproved, r.Header().Head.Revision, err)
	}
	return readState(r, environment)
}

// mostAtOnce is for how many documents room is made because a header, which may
// not be true, announces them.
const mostAtOnce = 1 << 17

// readState reads all documents of a snapshot of the environment.
func readState(r *changelog.SnapshotReader, environment string) (state, error) {
	h := r.Header()
	if h.Environment != environment {
		return state{}, fmt.Errorf("it is a snapshot of environment %q, not of %q", h.Environment, environment)
	}
	all := make([]document.Document, 0, min(h.Count, mostAtOnce))
	for {
		doc, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return state{}, err
		}
		all = append(all, doc)
	}
	documents := documentsOf(all)
	if documents.count != h.Count {
		return state{}, fmt.Errorf("it holds %d documents %d times", documents.count, h.Count)
	}
	return state{head: h.Head, hashes: r.State(), documents: documents}, nil
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
