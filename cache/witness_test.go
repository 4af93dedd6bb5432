package cache

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// witness remembers every state that was signed.
type witness []*history

func (w *witness) note(h *history) { *w = append(*w, h.fork()) }

// check fails unless the View, if there is one, is a state that was signed, and every flag that its rules
// serve is a version of one.
func (w *witness) check(tb testing.TB, v *View) {
	tb.Helper()
	if v == nil {
		return
	}
	if err := w.fault(v); err != nil {
		tb.Fatal(err)
	}
}

func (w *witness) fault(v *View) error {
	documents := maps.Collect(func(yield func(document.ID, []byte) bool) {
		for d := range v.Documents() {
			if !yield(d.ID(), fmt.Appendf(nil, "%d %s", d.Revision, d.Body)) {
				return
			}
		}
	})
	signed := false
	versions := make(map[string]bool)
	for _, h := range *w {
		matches := h.head == v.Header().Head && len(h.documents) == len(documents)
		for id, d := range h.documents {
			text := fmt.Appendf(nil, "%d %s", d.Revision, d.Body)
			matches = matches && bytes.Equal(documents[id], text)
			versions[d.Key+" "+string(text)] = true
		}
		signed = signed || matches
	}
	if !signed {
		return fmt.Errorf("what is shown at revision %d was never signed: %s", v.Position().Revision, documents)
	}
	for _, f := range v.Rules().Flags() {
		if text := fmt.Sprintf("%s %d %s", f.Key(), f.Revision(), f.Document()); !versions[text] {
			return fmt.Errorf("a flag is served that was never signed: %s", text)
		}
	}
	return nil
}

// diskOf is a directory with all kinds of files: two generations, something in each tail, and last good
// versions of two states.
func diskOf(tb testing.TB) (dir string, h *history, w *witness) {
	tb.Helper()
	dir, w = tb.TempDir(), &witness{}
	s, h := liveStore(tb, dir)
	w.note(h)
	change := func(documents ...document.Document) {
		apply(tb, s, h.commit(tb, documents...))
		w.note(h)
	}
	change(flag("a", 1), flag("b", 1), flag("c", 1))
	s.rewrite()
	change(broken("a"))
	change(flag("b", 2))
	change(broken("b"))
	s.rewrite()
	change(flag("c", 2), flag("d", 1))
	change(deleted("d"))
	change(broken("c"))
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return dir, h, w
}

// files are the names of all files of diskOf that are read.
var files = []string{"prod.snapshot", "prod.snapshot.previous", "prod.tail", "prod.tail.previous", "prod.last-good"}

// restoreWith restores a directory with a keyring.
func restoreWith(tb testing.TB, dir string, keys *changelog.Keyring) *Store {
	tb.Helper()
	s, err := New(Options{Environment: "prod", Dir: dir, Keyring: keys, Logger: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	if _, err := s.Restore(); err != nil {
		tb.Fatal(err)
	}
	return s
}

func remove(tb testing.TB, dir string, names ...string) {
	tb.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			tb.Fatal(err)
		}
	}
}

// writeTail writes a tail with right checksums.
func writeTail(tb testing.TB, dir, environment string, at changelog.Position, changes ...change) {
	tb.Helper()
	data, err := encodeTailHeader(environment, at)
	if err == nil {
		data, err = appendTailRecords(data, at, changes)
	}
	if err != nil {
		tb.Fatal(err)
	}
	writeFile(tb, dir, environment+".tail", data)
}

// forge returns what can be made of a history without a key: the documents are put in their places
// and the state is stated, under the signature of another one.
func (h *history) forge(documents ...document.Document) *history {
	f := h.fork()
	edit := f.state.Edit()
	for _, d := range documents {
		before, existed := f.documents[d.ID()]
		if existed {
			edit.Remove(before)
		}
		d.Revision = max(before.Revision, 1)
		edit.Add(d)
		f.documents[d.ID()] = d
	}
	f.state = edit.State()
	f.head.State = f.state.Digest()
	return f
}

// assembleSnapshot returns a snapshot with a header line and the lines of documents as they are, and the
// checksum of them.
func assembleSnapshot(tb testing.TB, header, lines []byte) []byte {
	tb.Helper()
	data := append([]byte("flagside snapshot 2\n"), header...)
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		tb.Fatal(err)
	}
	data = zip.EncodeAll(lines, append(data, '\n'))
	sum := sha256.Sum256(data)
	return append(data, sum[:]...)
}

// snapshotLines is the opposite of assembleSnapshot.
func snapshotLines(tb testing.TB, data []byte) (header, lines []byte) {
	tb.Helper()
	_, rest, _ := bytes.Cut(data, []byte("\n"))
	header, rest, _ = bytes.Cut(rest, []byte("\n"))
	zip, err := zstd.NewReader(nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer zip.Close()
	lines, err = zip.DecodeAll(rest[:len(rest)-sha256.Size], nil)
	if err != nil {
		tb.Fatal(err)
	}
	return header, lines
}

// rotation is an installation whose signing key is replaced.
type rotation struct {
	old, both, renewed trusttest.Keys // before, in between and after: each with its keys note and the key that signs
}

func newRotation(tb testing.TB) rotation {
	tb.Helper()
	r := rotation{old: trusttest.New()}
	secret, public, err := changelog.GenerateKey(r.old.Installation)
	if err != nil {
		tb.Fatal(err)
	}
	note := func(version uint64, keys ...string) changelog.KeysNote {
		n, err := changelog.NewKeysNote(r.old.Installation, version, r.old.Root, keys...)
		if err != nil {
			tb.Fatal(err)
		}
		return n
	}
	r.both, r.renewed = r.old, r.old
	r.both.Note = note(2, r.old.Note.Keys[0], public)
	r.renewed.Note, r.renewed.Signing = note(3, public), secret
	return r
}
