package changelog

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

// A forger can make every checksum right, but no proof: whatever is changed in a
// snapshot and summed again is refused before a document is read.
func TestSnapshotForged(t *testing.T) {
	valid, documents := goldenSnapshot()
	a := keysA()
	f := func(name string, change func(h *Header, documents []document.Document) []document.Document) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			h := valid
			forged := change(&h, slices.Clone(documents))
			data := encodeSnapshot(t, h, forged)
			s, err := NewSnapshotReader(bytes.NewReader(data), a.cold(t))
			if !errors.Is(err, ErrUnproved) {
				t.Errorf("the header was taken with %v, want ErrUnproved", err)
			}
			if err == nil {
				s.Close()
			}
			if header, got, err := decodeUnproved(bytes.NewReader(data)); err != nil || header != h || len(got) != len(forged) {
				t.Errorf("on a person's word: %d documents, %v", len(got), err)
			}
		})
	}
	restate := func(h *Header, documents []document.Document) []document.Document {
		h.Count, h.Head.State = len(documents), stateOf(documents...).Digest()
		return documents
	}
	f("a document altered", func(h *Header, d []document.Document) []document.Document {
		d[2].Body = []byte(`{"forged":true}`)
		return restate(h, d)
	})
	f("a document more", func(h *Header, d []document.Document) []document.Document {
		return restate(h, append(d, testDocument(1)))
	})
	f("a document less", func(h *Header, d []document.Document) []document.Document { return restate(h, d[:2]) })
	f("a document twice", func(h *Header, d []document.Document) []document.Document { return restate(h, append(d, d[0])) })
	f("nothing", func(h *Header, _ []document.Document) []document.Document { return restate(h, nil) })
	f("another revision of a document", func(h *Header, d []document.Document) []document.Document { d[0].Revision++; return restate(h, d) })
	f("another environment", func(h *Header, d []document.Document) []document.Document { h.Environment = "staging"; return d })
	f("another revision", func(h *Header, d []document.Document) []document.Document { h.Head.Revision++; return d })
	f("another epoch", func(h *Header, d []document.Document) []document.Document { h.Head.Epoch = epochB; return d })
	f("another digest", func(h *Header, d []document.Document) []document.Document { h.Head.Digest[0]++; return d })
	f("no signature", func(h *Header, d []document.Document) []document.Document { h.Head.Signature = ""; return d })
	f("the signature of another state", func(h *Header, d []document.Document) []document.Document {
		h.Head.Signature = headerOf(nil).Head.Signature
		return d
	})
	f("the signature of an unknown key", func(h *Header, d []document.Document) []document.Document {
		h.Head.Signature = a.unknown.sign(string(entryText(installationA, prod, h.Head.Position, h.Head.State)))
		return d
	})
	f("no keys note", func(h *Header, d []document.Document) []document.Document { h.Keys = ""; return d })
	f("an altered keys note", func(h *Header, d []document.Document) []document.Document {
		h.Keys = strings.Replace(h.Keys, "version 1", "version 2", 1)
		return d
	})
	f("a keys note without the key", func(h *Header, d []document.Document) []document.Document { h.Keys = a.note(t, 2, 1).Text; return d })
	f("another installation", func(h *Header, d []document.Document) []document.Document {
		h.Keys = keysB().note(t, 1, 0).Text
		h.Head.Signature = keysB().signing[0].sign(string(entryText(installationB, prod, h.Head.Position, h.Head.State)))
		return d
	})
}

// A true header with other documents is refused at the end, whatever the sum says.
func TestSnapshotOfTrueHeaderAndOtherDocuments(t *testing.T) {
	valid, documents := goldenSnapshot()
	data := encodeSnapshot(t, valid, documents)
	line, _, _ := bytes.Cut(data[len(snapshotMagic):], []byte("\n"))
	header := snapshotMagic + string(line) + "\n"
	const own = `{"kind":"settings","key":"environment","revision":2,"body":{"metadata":{"team":"shop"}}}` + "\n" +
		`{"kind":"segment","key":"nordics","revision":3,"body":{"in":[{"var":"country"},["DK","SE"]]}}` + "\n" +
		`{"kind":"flag","key":"é/` + "\u2028" + ` <a>","revision":1099511627776,"body":{"escaped":"\u00e9\/","n":[1.0,12345678901234567890]}}` + "\n"
	if _, got, err := decodeSnapshot(t, bytes.NewReader(assemble(t, header, own))); err != nil || !cmp.Equal(documents, got) {
		t.Fatalf("the true ones: %v\n%s", err, cmp.Diff(documents, got))
	}
	for name, lines := range map[string]string{
		"altered":          strings.Replace(own, "shop", "evil", 1),
		"one for another":  strings.Replace(own, `"nordics"`, `"other"`, 1),
		"another revision": strings.Replace(own, `"revision":3`, `"revision":4`, 1),
		"another kind":     strings.Replace(own, `"kind":"segment"`, `"kind":"flag"`, 1),
		"one twice":        strings.Repeat(own[:strings.Index(own, "\n")+1], 3),
		"none":             "",
	} {
		if _, got, err := decodeSnapshot(t, bytes.NewReader(assemble(t, header, lines))); err == nil {
			t.Errorf("%s: read %d documents to the end", name, len(got))
		}
	}
	reversed := strings.SplitAfter(own, "\n")[:3]
	slices.Reverse(reversed)
	if _, _, err := decodeSnapshot(t, bytes.NewReader(assemble(t, header, strings.Join(reversed, "")))); err != nil {
		t.Errorf("the true ones in another order: %v", err)
	}
}

// A reader that knows a newer keys note keeps it, and believes no snapshot that a
// retired key signed; one that knows an older note learns from the header.
func TestSnapshotAndKeysNotes(t *testing.T) {
	a := keysA()
	h := headerOf(nil)
	data := encodeSnapshot(t, h, nil)

	newer := a.cold(t)
	adopt(t, newer, a.note(t, 3, 1))
	if _, _, err := readSnapshot(NewSnapshotReader(bytes.NewReader(data), newer)); !errors.Is(err, ErrUnproved) {
		t.Errorf("of a retired key: error %v, want ErrUnproved", err)
	}
	if got := newer.Note().Version; got != 3 {
		t.Errorf("version %d counts after an older snapshot, want 3", got)
	}

	h.Keys = a.note(t, 3, 1).Text
	h.Head.Signature = a.signing[1].sign(string(entryText(installationA, prod, h.Head.Position, h.Head.State)))
	data = encodeSnapshot(t, h, nil)
	older := a.keyring(t)
	if _, _, err := readSnapshot(NewSnapshotReader(bytes.NewReader(data), older)); err != nil {
		t.Errorf("of a newer keys note: %v", err)
	}
	if got := older.Note().Version; got != 3 || older.Signs(a.signing[0].id) {
		t.Errorf("version %d counts after a newer snapshot, want 3", got)
	}

	h.Keys = ""
	data = encodeSnapshot(t, h, nil)
	if _, _, err := readSnapshot(NewSnapshotReader(bytes.NewReader(data), older)); err != nil {
		t.Errorf("without a note, for a reader that knows it: %v", err)
	}
	if _, _, err := decodeSnapshot(t, bytes.NewReader(data)); !errors.Is(err, ErrUnproved) {
		t.Errorf("without a note, for one that does not: error %v, want ErrUnproved", err)
	}
}
