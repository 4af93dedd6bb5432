package changelog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/flagside/flagside/document"
)

// goldenSnapshot is what testdata/v2/snapshot.hex holds.
func goldenSnapshot() (Header, []document.Document) {
	documents := []document.Document{
		{Kind: document.KindSettings, Key: document.SettingsKey, Revision: 2, Body: []byte(`{"metadata":{"team":"shop"}}`)},
		{Kind: document.KindSegment, Key: "nordics", Revision: 3, Body: []byte(`{"in":[{"var":"country"},["DK","SE"]]}`)},
		{Kind: document.KindFlag, Key: "é/\u2028 <a>", Revision: 1 << 40, Body: []byte(`{"escaped":"\u00e9\/","n":[1.0,12345678901234567890]}`)},
	}
	return headerOf(documents), documents
}

// headerOf returns the header of a signed snapshot.
func headerOf(documents []document.Document) Header {
	h := Header{Environment: prod, Count: len(documents)}
	h.Head.Position = Position{Epoch: epochA, Revision: 1 << 40, Digest: Sum([]byte("head"))}
	h.Head.State = stateOf(documents...).Digest()
	return signedHeader(h)
}

func stateOf(documents ...document.Document) State {
	e := State{}.Edit()
	for _, d := range documents {
		e.Add(d)
	}
	return e.State()
}

// signedHeader returns h with the proof of its head.
func signedHeader(h Header) Header {
	h.Keys = goldenNote
	h.Head.Signature = keysA().signing[0].sign(string(entryText(installationA, h.Environment, h.Head.Position, h.Head.State)))
	return h
}

func encodeSnapshot(tb testing.TB, h Header, documents []document.Document) []byte {
	tb.Helper()
	var b bytes.Buffer
	s, err := NewSnapshotWriter(&b, h)
	if err != nil {
		tb.Fatal(err)
	}
	for _, d := range documents {
		if err := s.Write(d); err != nil {
			tb.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// decodeSnapshot reads as a cold sidecar does, which knows nothing but the root.
func decodeSnapshot(tb testing.TB, in io.Reader) (Header, []document.Document, error) {
	tb.Helper()
	return readSnapshot(NewSnapshotReader(in, keysA().cold(tb)))
}

// decodeUnproved reads as on a person's word.
func decodeUnproved(in io.Reader) (Header, []document.Document, error) {
	return readSnapshot(NewUnprovedSnapshotReader(in))
}

func readSnapshot(s *SnapshotReader, err error) (Header, []document.Document, error) {
	if err != nil {
		return Header{}, nil, err
	}
	defer s.Close()
	var documents []document.Document
	for {
		d, err := s.Next()
		if errors.Is(err, io.EOF) {
			return s.Header(), documents, nil
		}
		if err != nil {
			return s.Header(), documents, err
		}
		documents = append(documents, d)
	}
}

// assemble makes a snapshot of arbitrary text, with a valid checksum.
func assemble(tb testing.TB, header, lines string) []byte {
	tb.Helper()
	var b bytes.Buffer
	b.WriteString(header)
	zip, err := zstd.NewWriter(&b)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := zip.Write([]byte(lines)); err != nil {
		tb.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		tb.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	b.Write(sum[:])
	return b.Bytes()
}

// headerText is the beginning of a snapshot whose proof fits.
func headerText(count int, state Digest) string {
	h := Header{Environment: prod, Count: count, Head: Head{Position: Position{Epoch: epochA, Revision: 5, Digest: Sum(nil)}, State: state}}
	h = signedHeader(h)
	return fmt.Sprintf(`%s{"environment":"prod","head":{"epoch":%q,"revision":5,"digest":%q,"state":%q,"signature":%q},"count":%d,"keys":"%s"}`+"\n",
		"flagside snapshot 2\n", epochA, Sum(nil), state, h.Head.Signature, count, strings.ReplaceAll(goldenNote, "\n", `\n`))
}

// The compressed part differs between versions of the compressor, so only
// reading is compared with the file.
func TestGoldenSnapshot(t *testing.T) {
	wantHeader, wantDocuments := goldenSnapshot()
	text := strings.TrimSpace(string(golden(t, "snapshot.hex")))
	data, err := hex.DecodeString(strings.ReplaceAll(text, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	if !IsSnapshot(data) {
		t.Error("the file does not begin like a snapshot")
	}
	header, documents, err := decodeSnapshot(t, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantHeader, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantDocuments, documents); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	beginning, _, _ := bytes.Cut(data[len(snapshotMagic):], []byte("\n"))
	written := encodeSnapshot(t, wantHeader, wantDocuments)
	if want := snapshotMagic + string(beginning) + "\n"; !strings.HasPrefix(string(written), want) {
		t.Errorf("a snapshot begins with %q, want %q", written[:min(len(want), len(written))], want)
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	for name, documents := range map[string][]document.Document{
		"none":    nil,
		"largest": {{Kind: document.KindFlag, Key: strings.Repeat("\u0001", document.MaxKey), Revision: 1, Body: []byte(`"` + strings.Repeat("x", document.MaxSize-2) + `"`)}},
		"escaped": {{Kind: document.KindFlag, Key: "a", Revision: 1, Body: []byte(`"` + strings.Repeat(`\u0001`, document.MaxSize/6-1) + `"`)}},
		"scalars": {{Kind: document.KindSegment, Key: "a", Revision: 1, Body: []byte(`true`)}, {Kind: document.KindSegment, Key: "b", Revision: 1, Body: []byte(`null`)}},
	} {
		header, got, err := decodeSnapshot(t, bytes.NewReader(encodeSnapshot(t, headerOf(documents), documents)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(headerOf(documents), header); diff != "" {
			t.Errorf("%s: header (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(documents, got, wholeBytes()); diff != "" {
			t.Errorf("%s: documents (-want +got):\n%s", name, diff)
		}
	}
}

// A reader may hand out the bytes in any portions.
func TestSnapshotInSmallPortions(t *testing.T) {
	header, want := goldenSnapshot()
	data := encodeSnapshot(t, header, want)
	for size := 1; size < 70; size++ {
		_, got, err := decodeSnapshot(t, &portions{data: data, size: size})
		if err != nil {
			t.Fatalf("portions of %d bytes: %v", size, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("portions of %d bytes (-want +got):\n%s", size, diff)
		}
	}
}

type portions struct {
	data []byte
	size int
}

func (p *portions) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.data)
	p.data = p.data[n:]
	return n, nil
}

func TestSnapshotDamagedAnywhere(t *testing.T) {
	data := encodeSnapshot(t, headerOf(nil), nil)
	header, documents := goldenSnapshot()
	for _, data := range [][]byte{data, encodeSnapshot(t, header, documents)} {
		for i := range data {
			for _, bit := range []byte{0x01, 0x20, 0x80} {
				damaged := bytes.Clone(data)
				damaged[i] ^= bit
				if _, _, err := decodeSnapshot(t, bytes.NewReader(damaged)); err == nil {
					t.Fatalf("byte %d, bit %#x: the damage was not noticed", i, bit)
				}
			}
		}
	}
}

func TestSnapshotTruncatedAnywhere(t *testing.T) {
	header, documents := goldenSnapshot()
	data := encodeSnapshot(t, header, documents)
	for length := range data {
		if _, _, err := decodeSnapshot(t, bytes.NewReader(data[:length])); err == nil {
			t.Fatalf("%d of %d bytes were taken for a snapshot", length, len(data))
		}
	}
	if _, _, err := decodeSnapshot(t, bytes.NewReader(append(data, 0))); err == nil {
		t.Error("a byte too many was not noticed")
	}
}

func TestSnapshotOfAnotherFormat(t *testing.T) {
	header, documents := goldenSnapshot()
	valid := string(encodeSnapshot(t, header, documents))
	f := func(name, data string) {
		t.Helper()
		if _, _, err := decodeSnapshot(t, strings.NewReader(data)); !errors.Is(err, ErrSnapshotFormat) {
			t.Errorf("%s: error %v, want ErrSnapshotFormat", name, err)
		}
	}
	f("nothing", "")
	f("less than a checksum", "flagside")
	f("another file", `{"flags":{}}`+strings.Repeat(" ", 100))
	f("a newer version", strings.Replace(valid, "snapshot 2", "snapshot 3", 1))
	f("an older version", strings.Replace(valid, "snapshot 2", "snapshot 1", 1))
	f("header that is no JSON", strings.Replace(valid, `{"environment"`, `["environment"`, 1))
	f("header with an unknown member", strings.Replace(valid, `{"environment"`, `{"more":1,"environment"`, 1))
	f("header without an environment", strings.Replace(valid, `"environment":"prod"`, `"environment":""`, 1))
	f("header without an epoch", strings.Replace(valid, string(epochA), "", 1))
	f("header without a revision", strings.Replace(valid, `"revision":1099511627776`, `"revision":0`, 1))
	f("header with a negative count", strings.Replace(valid, `"count":3`, `"count":-3`, 1))
	f("header too long", snapshotMagic+strings.Repeat(" ", maxHeader)+valid[len(snapshotMagic):])
	f("header without an end", snapshotMagic+strings.Repeat(" ", 10*maxHeader))
	if !IsSnapshot([]byte("flagside snapshot 2\n")) || IsSnapshot([]byte(`{"flags":{}}`)) || IsSnapshot(nil) {
		t.Error("IsSnapshot does not go by the beginning")
	}
}

// A line that is read without parsing it says what it says to the parser.
func TestSnapshotLinesWithoutParsing(t *testing.T) {
	fast := 0
	f := func(line string) {
		t.Helper()
		var w wireDocument
		err := json.Unmarshal([]byte(line), &w, json.RejectUnknownMembers(true))
		want := document.Document{Kind: w.Kind, Key: w.Key, Revision: w.Revision, Body: w.Body}
		s := new(SnapshotReader)
		got, ok := s.decodeCanonical([]byte(line))
		if ok {
			fast++
		}
		if ok && err == nil {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", line, diff)
			}
		}
		if got, again := s.decode([]byte(line)); !ok && (again == nil) != (err == nil) || err == nil && cmp.Diff(want, got) != "" {
			t.Errorf("%s: %v, %v", line, got, again)
		}
	}
	for _, key := range []string{`a`, `a-b/c.d`, `ä€😀`, `a\"b`, `\u0061`, "a\xff", `a\n`, strings.Repeat("k", document.MaxKey)} {
		for _, body := range []string{`{}`, `{"a":{"b":[1,2]}}`, `"text"`, `{"x":"}"}`, `{"x":"` + strings.Repeat("y", slabSize) + `"}`, ` { } `} {
			f(`{"kind":"flag","key":"` + key + `","revision":17,"body":` + body + `}`)
			f(`{"kind":"segment","key":"` + key + `","revision":0,"body":` + body + `}`)
			f(`{"kind":"flag","revision":17,"key":"` + key + `","body":` + body + `}`)
			f(`{"kind":"flag", "key":"` + key + `","revision":17,"body":` + body + `}`)
			f(`{"kind":"flag","key":"` + key + `","revision":17,"body":` + body + `} `)
		}
	}
	for _, revision := range []string{"-1", "01", "1.0", "1e3", "18446744073709551615", "99999999999999999999", ""} {
		f(`{"kind":"flag","key":"a","revision":` + revision + `,"body":{}}`)
	}
	if fast < 40 {
		t.Errorf("%d lines were read without parsing", fast)
	}
}

// What stands in the place of a body is proved before it counts, so that it need not be JSON that is looked at.
func TestSnapshotBodyThatIsNoJSON(t *testing.T) {
	state := stateOf(document.Document{Kind: document.KindFlag, Key: "a", Revision: 1, Body: []byte("{}")}).Digest()
	for _, body := range []string{`{},"more":1`, `{}}{`, `{`, `nothing`, ``} {
		line := `{"kind":"flag","key":"a","revision":1,"body":` + body + "}\n"
		if _, _, err := decodeSnapshot(t, bytes.NewReader(assemble(t, headerText(1, state), line))); err == nil {
			t.Errorf("%s was read", body)
		}
	}
}

// Bodies share memory, and none of them reaches into another.
func TestSnapshotBodiesAreApart(t *testing.T) {
	want := make([]document.Document, 500)
	for i := range want {
		want[i] = document.Document{Kind: document.KindFlag, Key: fmt.Sprint(i), Revision: 1, Body: fmt.Appendf(nil, `{"x":"%s"}`, strings.Repeat("x", i*17))}
	}
	header := headerOf(want)
	_, got, err := decodeSnapshot(t, bytes.NewReader(encodeSnapshot(t, header, want)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		_ = append(got[i].Body, "spoilt"...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Documents that are wrong are refused although the checksum is right.
func TestSnapshotWithWrongDocuments(t *testing.T) {
	const doc = `{"kind":"flag","key":"a","revision":1,"body":{}}` + "\n"
	state := stateOf(document.Document{Kind: document.KindFlag, Key: "a", Revision: 1, Body: []byte("{}")}).Digest()
	if _, _, err := decodeSnapshot(t, bytes.NewReader(assemble(t, headerText(1, state), doc))); err != nil {
		t.Fatalf("the valid one: %v", err)
	}
	f := func(name string, count int, state Digest, lines string) {
		t.Helper()
		if _, documents, err := decodeSnapshot(t, bytes.NewReader(assemble(t, headerText(count, state), lines))); err == nil {
			t.Errorf("%s: read %d documents", name, len(documents))
		}
	}
	f("fewer than announced", 2, state, doc)
	f("more than announced", 0, state, doc)
	f("twice the same", 2, state, doc+doc)
	f("another state", 1, Sum(nil), doc)
	f("no state", 1, Digest{}, doc)
	f("documents of no state", 0, Digest{}, "")
	f("empty line", 1, state, doc+"\n")
	f("unknown member", 1, state, strings.Replace(doc, `"body"`, `"more":1,"body"`, 1))
	f("no body", 1, stateOf(document.Document{Kind: document.KindFlag, Key: "a", Revision: 1}).Digest(), `{"kind":"flag","key":"a","revision":1}`+"\n")
	f("unknown kind", 1, state, strings.Replace(doc, "flag", "rule", 1))
	f("epoch", 1, state, strings.NewReplacer("flag", "epoch", `"a"`, `"epoch"`).Replace(doc))
	f("empty key", 1, state, strings.Replace(doc, `"a"`, `""`, 1))
	f("two on a line", 1, state, strings.Replace(doc, "\n", "{}\n", 1))
	f("large body", 1, state, strings.Replace(doc, "{}", `"`+strings.Repeat("x", document.MaxSize)+`"`, 1))
	f("line without an end", 1, state, strings.Repeat(" ", 2*maxLine))
}

func TestSnapshotWriterRefuses(t *testing.T) {
	valid, documents := goldenSnapshot()
	f := func(name string, change func(*Header)) {
		t.Helper()
		h := valid
		change(&h)
		if _, err := NewSnapshotWriter(io.Discard, h); err == nil {
			t.Errorf("%s: a header was written", name)
		}
	}
	f("no environment", func(h *Header) { h.Environment = "" })
	f("no position", func(h *Header) { h.Head.Position = Position{} })
	f("no revision", func(h *Header) { h.Head.Revision = 0 })
	f("negative count", func(h *Header) { h.Count = -1 })

	write := func(h Header, documents ...document.Document) error {
		s, err := NewSnapshotWriter(io.Discard, h)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range documents {
			if err := s.Write(d); err != nil {
				return err
			}
		}
		return s.Close()
	}
	if write(valid, documents[:2]...) == nil {
		t.Error("a snapshot lacks a document and was closed")
	}
	other := valid
	other.Head.State[0]++
	if write(other, documents...) == nil {
		t.Error("a snapshot has another state than announced and was closed")
	}
	for name, d := range map[string]document.Document{
		"no body":                {Kind: document.KindFlag, Key: "a"},
		"body that is no JSON":   {Kind: document.KindFlag, Key: "a", Body: []byte("{")},
		"body with a line break": {Kind: document.KindFlag, Key: "a", Body: []byte("{}\n{}")},
		"epoch":                  {Kind: document.KindEpoch, Key: document.EpochKey, Body: []byte("{}")},
		"no key":                 {Kind: document.KindFlag, Body: []byte("{}")},
		"large body":             {Kind: document.KindFlag, Key: "a", Body: []byte(`"` + strings.Repeat("x", document.MaxSize) + `"`)},
	} {
		if write(headerOf([]document.Document{d}), d) == nil {
			t.Errorf("%s: a document was written", name)
		}
	}
}

func TestSnapshotPassesOnErrors(t *testing.T) {
	header, documents := goldenSnapshot()
	data := encodeSnapshot(t, header, documents)
	for length := 0; length < len(data); length += 3 {
		broken := io.MultiReader(bytes.NewReader(data[:length]), &failing{})
		if _, _, err := decodeSnapshot(t, broken); err == nil {
			t.Fatalf("after %d bytes: the error was swallowed", length)
		}
		if err := writeTo(&failing{after: length}, header, documents); !errors.Is(err, errFailing) {
			t.Fatalf("after %d bytes: error %v when writing", length, err)
		}
	}
}

func writeTo(w io.Writer, h Header, documents []document.Document) error {
	s, err := NewSnapshotWriter(w, h)
	if err != nil {
		return err
	}
	for _, d := range documents {
		if err := s.Write(d); err != nil {
			return err
		}
	}
	return s.Close()
}

var errFailing = errors.New("failing")

// failing takes some bytes and then fails, and has none to read.
type failing struct{ after int }

func (*failing) Read([]byte) (int, error) { return 0, errFailing }

func (f *failing) Write(p []byte) (int, error) {
	n := min(f.after, len(p))
	f.after -= n
	if n < len(p) {
		return n, errFailing
	}
	return n, nil
}

// Neither writing nor reading holds the documents: with 100,000 of them,
// the heap stays below a part of their 40 MB.
func TestSnapshotInBoundedMemory(t *testing.T) {
	const count, limit = 100_000, 16 << 20
	filler := strings.Repeat("x", 400)
	document := func(i int) document.Document {
		return document.Document{Kind: document.KindFlag, Key: fmt.Sprintf("flag-%d", i), Revision: uint64(i), Body: fmt.Appendf(nil, `{"n":%d,"x":%q}`, i, filler)}
	}
	header := headerOf(nil)
	header.Count = count
	state := State{}.Edit()
	for i := range count {
		state.Add(document(i))
	}
	header.Head.State = state.State().Digest()
	header, state = signedHeader(header), nil
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()

	in, out := io.Pipe()
	go func() {
		s, err := NewSnapshotWriter(out, header)
		for i := 0; i < count && err == nil; i++ {
			err = s.Write(document(i))
		}
		if err == nil {
			err = s.Close()
		}
		out.CloseWithError(err)
	}()
	s, err := NewSnapshotReader(in, keysA().cold(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for read := 0; ; read++ {
		_, err := s.Next()
		if errors.Is(err, io.EOF) && read == count {
			return
		}
		if err != nil {
			t.Fatalf("after %d documents: %v", read, err)
		}
		if read%20_000 == 0 {
			if now := live(); now > before+limit {
				t.Fatalf("after %d documents the heap has grown by %d bytes", read, now-before)
			}
		}
	}
}

// Whatever the bytes are, reading ends; what is whole can be written again, and
// what is proved is what was signed here.
func FuzzSnapshotReader(f *testing.F) {
	header, documents := goldenSnapshot()
	f.Add(encodeSnapshot(f, header, documents))
	f.Add(encodeSnapshot(f, headerOf(nil), nil))
	f.Add(assemble(f, headerText(1, Digest{}), "{}\n"))
	f.Add([]byte(snapshotMagic))
	signed := []Head{header.Head, headerOf(nil).Head}
	f.Fuzz(func(t *testing.T, data []byte) {
		if header, _, err := decodeSnapshot(t, bytes.NewReader(data)); err == nil && !slices.Contains(signed, header.Head) {
			t.Errorf("%+v is taken for proved", header)
		}
		header, documents, err := decodeUnproved(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, second, err := decodeUnproved(bytes.NewReader(encodeSnapshot(t, header, documents)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(header, again); diff != "" {
			t.Errorf("header (-first +second):\n%s", diff)
		}
		if diff := cmp.Diff(documents, second); diff != "" {
			t.Errorf("documents (-first +second):\n%s", diff)
		}
	})
}

// The checksum hides most of the reader from a fuzzer, so this one gives it the
// documents.
func FuzzSnapshotDocuments(f *testing.F) {
	f.Add(`{"kind":"flag","key":"a","revision":1,"body":{}}`+"\n", 1)
	f.Add("\n\n", 0)
	f.Add("", 0)
	emptyState := State{}.Digest()
	f.Fuzz(func(t *testing.T, lines string, count int) {
		_, documents, err := decodeUnproved(bytes.NewReader(assemble(t, headerText(count, emptyState), lines)))
		if err == nil && len(documents) != count {
			t.Errorf("%d documents of %d", len(documents), count)
		}
		for _, d := range documents {
			if d.ID().Validate() != nil || len(d.Body) == 0 {
				t.Errorf("read %+v", d)
			}
		}
	})
}
