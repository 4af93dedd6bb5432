package cache

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// Who can write to the data directory can delete, and can show an older true state to a process that is
// offline. Every file that is forged here has its checksums right.

// forgedSnapshots returns snapshots in the place of the true one, by how they were made.
func forgedSnapshots(t *testing.T, h *history) map[string][]byte {
	t.Helper()
	encode := func(f *history) []byte { return encodeSnapshot(t, f.header(), maps.Values(f.documents)) }
	forged := make(map[string][]byte)

	forged["a document altered"] = encode(h.forge(flag("a", 666)))
	forged["a document more"] = encode(h.forge(flag("evil", 1)))
	without := h.fork()
	edit := without.state.Edit()
	edit.Remove(without.documents[flag("c", 0).ID()])
	delete(without.documents, flag("c", 0).ID())
	without.state = edit.State()
	without.head.State = without.state.Digest()
	forged["a document less"] = encode(without)

	unsigned := h.forge(flag("a", 666))
	unsigned.head.Signature = ""
	forged["no signature"] = encode(unsigned)
	later := h.fork()
	later.head.Revision += 100
	forged["another revision"] = encode(later)
	renewed := h.fork()
	renewed.head.Epoch = changelog.NewEpoch(time.Now(), h.head.Epoch)
	forged["a later epoch"] = encode(renewed)

	other := trusttest.New()
	foreign, _ := newHistoryOf(t, "prod", other)
	foreign.commit(t, flag("a", 666))
	forged["another installation"] = encode(foreign)
	foreign.keys.Note = h.keys.Note
	forged["another installation under this keys note"] = encode(foreign)
	resigned := h.forge(flag("a", 666))
	resigned.head = sign(t, other.Signer(), "prod", resigned.head)
	forged["an unknown key"] = encode(resigned)
	resigned.keys.Note.Text = ""
	forged["no keys note"] = encode(resigned)

	staging, _ := newHistoryOf(t, "staging", h.keys)
	staging.commit(t, flag("a", 666))
	forged["another environment"] = encode(staging)
	staging.environment = "prod"
	forged["another environment under this name"] = encode(staging)

	header, _ := snapshotLines(t, encode(h))
	_, lines := snapshotLines(t, encode(h.forge(flag("a", 666))))
	forged["a true header over other documents"] = assembleSnapshot(t, header, lines)
	return forged
}

func TestForgedSnapshot(t *testing.T) {
	dir, h, w := diskOf(t)
	s := restoreStore(t, copyDir(t, dir))
	s.rewrite() // so that the snapshot is the newest state
	_ = s.Close()
	dir = s.disk.dir
	for name, data := range forgedSnapshots(t, h) {
		target := copyDir(t, dir)
		writeFile(t, target, "prod.snapshot", data)
		s := restoreStore(t, target)
		w.check(t, s.View())
		checkView(t, s.View(), h) // the previous one and the tails lead there, too
		if diff := cmp.Diff([]Code{CodeDiskDamaged}, codes(s.Problems())); diff != "" {
			t.Errorf("%s: conditions (-want +got):\n%s", name, diff)
		}
		if got := readFile(t, target, "prod.snapshot.bad-1"); !bytes.Equal(got, data) {
			t.Errorf("%s: another file was put aside", name)
		}
		_ = s.Close()

		target = copyDir(t, dir)
		remove(t, target, "prod.snapshot.previous", "prod.tail.previous", "prod.tail")
		writeFile(t, target, "prod.snapshot", data)
		s = restoreStore(t, target)
		if s.View() != nil || s.Source() != SourceEmpty || len(s.Problems()) != 1 {
			t.Errorf("%s, alone: View %v from %s, problems %v", name, s.View(), s.Source(), s.Problems())
		}
		_ = s.Close()
	}
}

// What is refused in the data directory is refused as a bundle, too.
func TestForgedBundle(t *testing.T) {
	_, h, _ := diskOf(t)
	dir := t.TempDir()
	for name, data := range forgedSnapshots(t, h) {
		s := restoreStore(t, t.TempDir())
		writeFile(t, dir, "bundle", data)
		if err := s.LoadBootstrap(filepath.Join(dir, "bundle")); err == nil || s.View() != nil {
			t.Errorf("%s: error %v, View %v", name, err, s.View())
		}
	}
	writeFile(t, dir, "bundle", h.snapshot(t))
	s, err := New(Options{Environment: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.LoadBootstrap(filepath.Join(dir, "bundle")); err == nil || s.View() != nil {
		t.Errorf("without a keyring: error %v, View %v", err, s.View())
	}
}

// A directory is of no use without a root key, and nothing else is.
func TestKeyringIsRequiredWithADirectory(t *testing.T) {
	if _, err := New(Options{Environment: "prod", Dir: t.TempDir()}); err == nil {
		t.Error("a directory is used without a keyring")
	}
	if err := Check(Options{Environment: "prod", Dir: t.TempDir()}, ""); err == nil {
		t.Error("the check finds nothing")
	}
}

// A tail with invented frames adds nothing but what is proved in front of them.
func TestForgedTail(t *testing.T) {
	begin, _ := newHistory(t)
	snapshot := begin.snapshot(t)
	h, w := begin.fork(), &witness{}
	w.note(h)
	var genuine []change
	var after []*history
	for _, documents := range [][]document.Document{{flag("a", 1), flag("b", 1)}, {flag("a", 2)}, {flag("b", 2)}} {
		genuine = append(genuine, changeOf(h.commit(t, documents...)))
		w.note(h)
		after = append(after, h.fork())
	}
	invented := func(at *history, documents ...document.Document) change {
		f := at.forge(documents...)
		f.head.Revision++
		f.head.Digest[0]++
		return change{head: f.head, documents: documents}
	}
	f := func(name string, want *history, changes ...change) {
		t.Helper()
		dir := t.TempDir()
		writeFile(t, dir, "prod.snapshot", snapshot)
		writeTail(t, dir, "prod", begin.head.Position, changes...)
		s := restoreStore(t, dir)
		defer s.Close()
		w.check(t, s.View())
		if s.View() == nil || s.View().Header().Head != want.head {
			t.Fatalf("%s: %v is shown, want revision %d", name, s.Position(), want.head.Revision)
		}
		if diff := cmp.Diff([]Code{CodeDiskDamaged}, codes(s.Problems())); diff != "" {
			t.Errorf("%s: conditions (-want +got):\n%s", name, diff)
		}
		if _, err := os.Stat(filepath.Join(dir, "prod.tail.previous.bad-1")); err != nil {
			t.Errorf("%s: not put aside: %v", name, err)
		}
		next := want.fork()
		apply(t, s, next.commit(t, flag("c", 1)))
		again := restart(t, s)
		defer again.Close()
		checkView(t, again.View(), next)
		if len(again.Problems()) > 0 {
			t.Errorf("%s: problems after the next start: %v", name, again.Problems())
		}
	}
	f("a frame more", after[2], append(genuine[:3:3], invented(after[2], flag("a", 666)))...)
	f("a frame in place of the last", after[1], append(genuine[:2:2], invented(after[1], flag("a", 666)))...)
	f("only invented ones", begin, invented(begin, flag("a", 666)))
	f("other documents under a true head", after[1], append(genuine[:2:2], change{head: genuine[2].head, documents: []document.Document{flag("a", 666)}})...)
	f("another revision of a document", after[1], append(genuine[:2:2], change{head: genuine[2].head, documents: []document.Document{flag("b", 2)}})...)
	f("a true frame left out", after[0], genuine[0], genuine[2])
	deletion := genuine[2]
	deletion.documents = []document.Document{deleted("a")}
	f("a deletion under a true head", after[1], genuine[0], genuine[1], deletion)
	epoch := invented(after[2], flag("a", 666))
	epoch.head.Epoch = changelog.NewEpoch(time.Now(), h.head.Epoch)
	f("a new epoch", after[2], append(genuine[:3:3], epoch)...)
	claimed := invented(after[2], flag("a", 666))
	claimed.head.Signature = after[2].head.Signature
	f("the signature of another state", after[2], append(genuine[:3:3], claimed)...)

	foreign := after[2].fork()
	foreign.keys = trusttest.New()
	f("the key of another installation", after[2], append(genuine[:3:3], changeOf(foreign.commit(t, keysDocument(t, foreign.keys.Note))), changeOf(foreign.commit(t, flag("a", 666))))...)
	staging := after[2].fork()
	staging.environment = "staging"
	f("another environment", after[2], append(genuine[:3:3], changeOf(staging.commit(t, flag("a", 666))))...)
}

// An invented version never becomes the last good one, not even where what is current in the end is
// proved and cannot be compiled.
func TestForgedVersionBehindABrokenOne(t *testing.T) {
	begin, _ := newHistory(t)
	snapshot := begin.snapshot(t)
	h, w := begin.fork(), &witness{}
	w.note(h)
	first := changeOf(h.commit(t, flag("a", 1)))
	w.note(h)
	between := h.fork()
	last := changeOf(h.commit(t, broken("a")))
	w.note(h)

	evil := between.forge(flag("a", 666))
	f := func(name string, snapshot []byte, at changelog.Position, changes ...change) {
		t.Helper()
		dir := t.TempDir()
		writeFile(t, dir, "prod.snapshot", snapshot)
		writeTail(t, dir, "prod", at, changes...)
		s := restoreStore(t, dir)
		defer s.Close()
		w.check(t, s.View())
	}
	frame := change{head: first.head, documents: []document.Document{evil.documents[flag("a", 0).ID()]}}
	f("in a frame of a true head", snapshot, begin.head.Position, frame, last)
	frame.head = evil.head
	f("in a frame of an invented head", snapshot, begin.head.Position, frame, last)
	f("in the snapshot", encodeSnapshot(t, evil.header(), maps.Values(evil.documents)), between.head.Position, last)

	dir := t.TempDir() // and the true one does
	writeFile(t, dir, "prod.snapshot", snapshot)
	writeTail(t, dir, "prod", begin.head.Position, first, last)
	checkRules(t, restoreStore(t, dir).View(), h)
}

// Last good versions are believed by their own proof; of those that are not, none is served.
func TestForgedLastGood(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	w := &witness{}
	w.note(h)
	apply(t, s, h.commit(t, flag("a", 1), flag("b", 1)))
	w.note(h)
	good := h.fork()
	apply(t, s, h.commit(t, broken("a")))
	w.note(h)
	s.rewrite()
	_ = s.Close()

	group := func(environment string, from *history, documents ...document.Document) lastGoodGroup {
		g := lastGoodGroup{Environment: environment, Head: from.head, Membership: from.state.Membership(documents)}
		for _, d := range documents {
			g.Documents = append(g.Documents, tailDocumentOf(d))
		}
		return g
	}
	a, evil := flag("a", 0).ID(), good.forge(flag("a", 666))
	encode := func(groups ...lastGoodGroup) []byte {
		data := []byte(lastGoodMagic)
		for _, g := range groups {
			var err error
			if data, err = appendFrame(data, g); err != nil {
				t.Fatal(err)
			}
		}
		return data
	}
	restored := func(data []byte) *Store {
		target := copyDir(t, dir)
		writeFile(t, target, "prod.last-good", data)
		s := restoreStore(t, target)
		w.check(t, s.View())
		checkView(t, s.View(), h)
		return s
	}
	if got := restored(encode(group("prod", good, good.documents[a]))); len(got.Problems()) > 0 {
		t.Fatalf("the true one: %v", got.Problems())
	} else {
		checkRules(t, got.View(), h)
	}

	f := func(name string, g lastGoodGroup) {
		t.Helper()
		s := restored(encode(g))
		if diff := cmp.Diff([]Code{CodeDiskDamaged}, codes(s.Problems())); diff != "" {
			t.Errorf("%s: conditions (-want +got):\n%s", name, diff)
		}
		if got := s.View().Rules().Flag("a").Document(); !bytes.Equal(got, broken("a").Body) {
			t.Errorf("%s: %s is served", name, got)
		}
		_ = s.Close()
		s = restored(encode(g, group("prod", good, good.documents[a])))
		checkRules(t, s.View(), h)
		if len(s.Problems()) != 1 {
			t.Errorf("%s, before a true one: problems %v", name, s.Problems())
		}
		_ = s.Close()
	}
	f("an invented state", group("prod", evil, evil.documents[a]))
	forged := group("prod", good, good.documents[a])
	forged.Documents[0].Body = flag("a", 666).Body
	f("other bytes under a true proof", forged)
	forged = group("prod", good, good.documents[a])
	forged.Documents[0].Revision++
	f("another revision under a true proof", forged)
	forged = group("prod", evil, evil.documents[a])
	forged.Head = good.head
	f("the membership of an invented state", forged)
	forged = group("prod", good, good.documents[a])
	forged.Documents = append(forged.Documents, tailDocumentOf(evil.documents[a]))
	f("an invented one beside a true one", forged)
	forged = group("prod", good, evil.documents[a])
	hidden := good.state.Edit()
	hidden.Add(evil.documents[a])
	forged.Membership.Buckets = hidden.State().Membership([]document.Document{evil.documents[a]}).Buckets
	f("a bucket that holds more", forged)
	f("no membership", lastGoodGroup{Environment: "prod", Head: good.head, Documents: forged.Documents})

	foreign, _ := newHistoryOf(t, "prod", trusttest.New())
	foreign.commit(t, flag("a", 666))
	f("another installation", group("prod", foreign, foreign.documents[a]))
	staging, _ := newHistoryOf(t, "staging", h.keys)
	staging.commit(t, flag("a", 666))
	f("another environment", group("staging", staging, staging.documents[a]))
	f("another environment under this name", group("prod", staging, staging.documents[a]))
}

// The signing key is replaced within the tail: wherever it is cut off, what stands in front is proved.
func TestKeysAreRotatedInTheTail(t *testing.T) {
	r := newRotation(t)
	begin, _ := newHistoryOf(t, "prod", r.old)
	begin.commit(t, flag("a", 1))
	h := begin.fork()
	var changes []change
	states := []*history{begin.fork()}
	commit := func(documents ...document.Document) {
		changes = append(changes, changeOf(h.commit(t, documents...)))
		states = append(states, h.fork())
	}
	rotate := func(to trusttest.Keys) {
		h.keys = to
		commit(keysDocument(t, to.Note))
	}
	commit(flag("a", 2))
	rotate(r.both)
	commit(flag("b", 1))
	rotate(r.renewed)
	commit(flag("b", 2), broken("a"))

	for n := range states {
		dir := t.TempDir()
		writeFile(t, dir, "prod.snapshot", begin.snapshot(t))
		writeTail(t, dir, "prod", begin.head.Position, changes[:n]...)
		s := restoreWith(t, dir, r.old.Keyring())
		checkView(t, s.View(), states[n])
		if len(s.Problems()) > 0 {
			t.Errorf("after %d changes: %v", n, s.Problems())
		}
	}

	// The retired key signs on: what it signs is not shown.
	thief := h.fork()
	thief.keys.Signing = r.old.Signing
	evil := changeOf(thief.commit(t, flag("b", 666)))
	dir := t.TempDir()
	writeFile(t, dir, "prod.snapshot", begin.snapshot(t))
	writeTail(t, dir, "prod", begin.head.Position, append(changes, evil)...)
	s := restoreWith(t, dir, r.old.Keyring())
	checkView(t, s.View(), h)
	if len(s.Problems()) != 1 {
		t.Errorf("problems: %v", s.Problems())
	}
	checkRules(t, s.View(), h)
}

// A last good version that only a retired key has signed is not believed any more. The flag answers that
// it cannot be compiled, as it does where the process is new.
func TestLastGoodVersionOfARetiredKey(t *testing.T) {
	r := newRotation(t)
	dir := t.TempDir()
	h, begin := newHistoryOf(t, "prod", r.old)
	s := restoreWith(t, dir, r.old.Keyring())
	apply(t, s, begin)
	s.Synced()
	s.rewrite()
	apply(t, s, h.commit(t, flag("a", 1), flag("b", 1)), h.commit(t, broken("a")))
	for _, keys := range []trusttest.Keys{r.both, r.renewed} {
		h.keys = keys
		apply(t, s, h.commit(t, keysDocument(t, keys.Note)))
	}
	checkRules(t, s.View(), h)
	s.rewrite()
	_ = s.Close()
	s = restoreWith(t, dir, r.old.Keyring())
	checkView(t, s.View(), h)
	if got := s.View().Rules().Flag("a").Document(); !bytes.Equal(got, broken("a").Body) {
		t.Errorf("%s is served", got)
	}
	if diff := cmp.Diff([]Code{CodeDiskDamaged}, codes(s.Problems())); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}

// A process that knows a newer keys note does not believe a disk that only a key signed which that note
// lacks. It begins with nothing and keeps what it learns.
func TestDiskOfARetiredKey(t *testing.T) {
	r := newRotation(t)
	dir := t.TempDir()
	h, begin := newHistoryOf(t, "prod", r.old)
	s := restoreWith(t, dir, r.old.Keyring())
	apply(t, s, begin)
	s.Synced()
	s.rewrite()
	apply(t, s, h.commit(t, flag("a", 1)))
	_ = s.Close()

	trust, err := changelog.ParseTrust([]byte(r.renewed.TrustText()))
	if err != nil {
		t.Fatal(err)
	}
	s = restoreWith(t, dir, changelog.NewKeyring(trust))
	if s.View() != nil || s.Source() != SourceEmpty || len(s.Problems()) == 0 {
		t.Fatalf("%v is shown from %s, problems %v", s.Position(), s.Source(), s.Problems())
	}
	if detail := s.Problems()[0].Detail; !strings.Contains(detail, changelog.ErrUnsigned.Error()) {
		t.Errorf("the condition says %s", detail)
	}
	h.keys = r.renewed
	h.commit(t, keysDocument(t, r.renewed.Note))
	loadWith(t, s, h.snapshot(t), r.renewed.PublisherKeyring())
	s.Synced()
	s.rewrite()
	apply(t, s, h.commit(t, flag("a", 2)))
	_ = s.Close()
	s = restoreWith(t, dir, r.old.Keyring())
	checkView(t, s.View(), h)
	if len(s.Problems()) > 0 {
		t.Errorf("problems after the next start: %v", s.Problems())
	}
}

// What was true once is shown to a process that knows nothing newer: freshness is what the log gives.
func TestOlderTrueStateIsShown(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("a", 1)))
	s.rewrite()
	apply(t, s, h.commit(t, flag("a", 2)))
	older, then := copyDir(t, dir), h.fork()
	apply(t, s, h.commit(t, flag("a", 3)), h.commit(t, flag("b", 1)))
	s.rewrite()
	_ = s.Close()
	replayed := restoreStore(t, older)
	checkView(t, replayed.View(), then)
	if replayed.Source() != SourceDisk || len(replayed.Problems()) > 0 {
		t.Errorf("source %s, problems %v", replayed.Source(), replayed.Problems())
	}
	// An older snapshot in the place of the newest, beside tails that do not continue it.
	mixed := copyDir(t, dir)
	for _, name := range []string{"prod.snapshot", "prod.snapshot.previous"} {
		writeFile(t, mixed, name, readFile(t, older, name))
	}
	w := witness{h, then}
	w.check(t, restoreStore(t, mixed).View())
}
