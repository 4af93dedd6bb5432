package cache

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// seededKeys returns keys that are the same in every process, because a fuzzer's inputs outlive one.
func seededKeys(tb testing.TB) trusttest.Keys {
	tb.Helper()
	k := trusttest.Keys{Installation: "0123456789abcdef0123456789abcdef"}
	var public string
	k.Root, k.RootPublic = seededKey(k.Installation, 1)
	k.Signing, public = seededKey(k.Installation, 2)
	var err error
	if k.Note, err = changelog.NewKeysNote(k.Installation, 1, k.Root, public); err == nil {
		k.Trust, err = changelog.ParseTrust([]byte(k.RootPublic + "\n"))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func seededKey(installation string, seed byte) (secret, public string) {
	name := "flagside/" + installation
	raw := bytes.Repeat([]byte{seed}, ed25519.SeedSize)
	key := append([]byte{1}, ed25519.NewKeyFromSeed(raw).Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	id := binary.BigEndian.Uint32(sum[:])
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, id, encode(append([]byte{1}, raw...))), fmt.Sprintf("%s+%08x+%s", name, id, encode(key))
}

// sample is the same disk in every process: a snapshot, a tail and last good versions, and what was signed.
type sample struct {
	keys                     trusttest.Keys
	begin                    *history
	header, lines            []byte
	tail, versions           []byte // payloads of the frames, each on a line
	wholeTail, wholeVersions []byte // the files
	w                        *witness
}

func newSample(tb testing.TB) sample {
	tb.Helper()
	s := sample{keys: seededKeys(tb), w: &witness{}}
	h := &history{environment: "prod", keys: s.keys, documents: map[document.ID]document.Document{}, good: map[document.ID]document.Document{}}
	h.head.Epoch = "0123456701234567890101234567890a"
	h.append(tb, changelog.Entry{Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 1, OpID: "begin", State: h.state.Digest()})
	h.commit(tb, keysDocument(tb, s.keys.Note), flag("a", 1), flag("b", 1))
	s.w.note(h)
	good := h.fork()
	h.commit(tb, broken("a"))
	s.w.note(h)
	s.begin = h.fork()
	s.header, s.lines = snapshotLines(tb, h.snapshot(tb))
	var changes []change
	for _, d := range []document.Document{flag("b", 2), flag("a", 2), broken("b")} {
		changes = append(changes, changeOf(h.commit(tb, d)))
		s.w.note(h)
	}
	var err error
	if s.wholeTail, err = encodeTailHeader("prod", s.begin.head.Position); err == nil {
		s.wholeTail, err = appendTailRecords(s.wholeTail, s.begin.head.Position, changes)
	}
	if err == nil {
		a := good.documents[flag("a", 0).ID()]
		s.wholeVersions, err = encodeLastGood("prod", map[document.ID]goodVersion{a.ID(): {document: a, head: good.head, hashes: good.state}})
	}
	if err != nil {
		tb.Fatal(err)
	}
	s.tail = bytes.Join(payloads(tb, s.wholeTail, len(tailMagic)), []byte("\n"))
	s.versions = bytes.Join(payloads(tb, s.wholeVersions, len(lastGoodMagic)), []byte("\n"))
	return s
}

// framed returns a file with a frame for each line.
func framed(magic string, lines []byte) []byte {
	data := []byte(magic)
	for line := range bytes.SplitSeq(lines, []byte("\n")) {
		data = appendPayload(data, line)
	}
	return data
}

// wasSigned reports whether a version of a document belongs to a state that was signed.
func (w *witness) wasSigned(d document.Document) bool {
	for _, h := range *w {
		if known, ok := h.documents[d.ID()]; ok && same(known, d) {
			return true
		}
	}
	return false
}

// Whatever stands in a file of last good versions, decoding ends, and every version that it returns was
// signed.
func FuzzDecodeLastGood(f *testing.F) {
	s := newSample(f)
	f.Add(s.wholeVersions, false)
	f.Add(s.versions, true)
	f.Add(append(append(bytes.Clone(s.versions), '\n'), s.versions...), true)
	f.Add(bytes.Replace(s.versions, []byte(`"v":1`), []byte(`"v":6`), 1), true)
	f.Add([]byte(`{"environment":"prod","head":{},"documents":null,"membership":{"count":-1,"sums":null,"buckets":[{"index":-1,"hashes":null}]}}`), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, data []byte, frame bool) {
		if frame {
			data = framed(lastGoodMagic, data)
		}
		versions, _ := decodeLastGood(data, "prod", s.keys.PublisherKeyring())
		for _, v := range versions {
			if !s.w.wasSigned(v.document) {
				t.Errorf("%s at revision %d was never signed: %s", v.document.ID(), v.document.Revision, v.document.Body)
			}
		}
	})
}

// Whatever stands in a snapshot, decoding ends, and a state of it that is proved was signed.
func FuzzDecodeSnapshot(f *testing.F) {
	s := newSample(f)
	f.Add(s.header, s.lines)
	f.Add(s.header, bytes.Replace(s.lines, []byte(`"v":1`), []byte(`"v":6`), 1))
	f.Add(bytes.Replace(s.header, []byte(`"count":3`), []byte(`"count":9223372036854775807`), 1), s.lines)
	f.Add(bytes.Replace(s.header, []byte(`"prod"`), []byte(`"staging"`), 1), s.lines)
	f.Add([]byte("{}"), []byte{})
	f.Fuzz(func(t *testing.T, header, lines []byte) {
		keys := s.keys.Keyring()
		loaded, err := decodeSnapshot(bytes.NewReader(assembleSnapshot(t, header, lines)), "prod", keys)
		if err != nil || loaded.prove(keys, "prod") != nil {
			return
		}
		if err := s.w.fault(compile(emptyView("prod", 0), loaded, nil)); err != nil {
			t.Error(err)
		}
	})
}

// Whatever stands in all files together, with right checksums, nothing is shown that was not signed.
func FuzzRestore(f *testing.F) {
	s := newSample(f)
	evil := func(data []byte) []byte { return bytes.ReplaceAll(data, []byte(`"v":1`), []byte(`"v":6`)) }
	f.Add(s.header, s.lines, s.tail, s.versions)
	f.Add(s.header, evil(s.lines), s.tail, s.versions)
	f.Add(s.header, s.lines, bytes.ReplaceAll(s.tail, []byte(`"v":2`), []byte(`"v":6`)), evil(s.versions))
	f.Fuzz(func(t *testing.T, header, lines, tail, versions []byte) {
		dir := t.TempDir()
		writeFile(t, dir, "prod.snapshot", assembleSnapshot(t, header, lines))
		writeFile(t, dir, "prod.tail", framed(tailMagic, tail))
		writeFile(t, dir, "prod.last-good", framed(lastGoodMagic, versions))
		restored := restoreWith(t, dir, s.keys.Keyring())
		s.w.check(t, restored.View())
		_ = restored.Close()
	})
}

// The sample is what the fuzzers believe it is.
func TestSample(t *testing.T) {
	s := newSample(t)
	dir := t.TempDir()
	writeFile(t, dir, "prod.snapshot", assembleSnapshot(t, s.header, s.lines))
	writeFile(t, dir, "prod.tail", framed(tailMagic, s.tail))
	writeFile(t, dir, "prod.last-good", framed(lastGoodMagic, s.versions))
	restored := restoreWith(t, dir, s.keys.Keyring())
	last := (*s.w)[len(*s.w)-1]
	checkView(t, restored.View(), last)
	checkRules(t, restored.View(), last)
	if len(restored.Problems()) > 0 {
		t.Errorf("problems: %v", restored.Problems())
	}
	versions, err := decodeLastGood(s.wholeVersions, "prod", s.keys.PublisherKeyring())
	if err != nil || len(versions) != 1 || !s.w.wasSigned(versions[0].document) {
		t.Errorf("last good versions: %v, %v", versions, err)
	}
}
