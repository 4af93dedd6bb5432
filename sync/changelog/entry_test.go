package changelog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

// goldenEntries are the entries of testdata/v2. They are what a log holds, so
// neither they nor the files ever change: another form needs another version.
func goldenEntries() map[string]Entry {
	at := time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC)
	link := func(revision uint64) Link { return Link{Revision: revision, Digest: Sum([]byte{byte(revision)})} }
	anchor := func(sequence uint64) Anchor { return Anchor{Sequence: sequence, Digest: Sum([]byte{byte(sequence)})} }
	return map[string]Entry{
		"epoch.json": {
			Environment: prod, Epoch: epochA, Revision: 3,
			OpID: "create-prod", Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 1, Time: at, State: Sum([]byte("state")),
		},
		"renewal.json": {
			Environment: prod, Epoch: epochB, Revision: 1 << 40,
			OpID: "recreate-prod", Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 1, Time: at, State: Sum([]byte("state")),
			Complete: 7, Leaves: Position{Epoch: epochA, Revision: 9, Digest: Sum([]byte{9})},
			Actor: "actor-1", Reason: "restored", Ledger: anchor(4), Control: anchor(5), Prev: link(9),
		},
		"keys.json": {
			Environment: prod, Epoch: epochA, Revision: 4,
			OpID: "keys-1", Kind: document.KindKeys, Key: document.KeysKey, Index: 1, Count: 1,
			Put:  []byte(`"` + strings.ReplaceAll(goldenNote, "\n", `\n`) + `"`),
			Time: at, State: Sum([]byte("state")), Prev: link(3),
		},
		"settings.json": {
			Environment: prod, Epoch: epochA, Revision: 5,
			OpID: "import-1", Kind: document.KindSettings, Key: document.SettingsKey, Index: 1, Count: 3,
			Put:   []byte(`{"metadata":{"team":"shop"},"compatibility":"flagd"}`),
			Actor: "actor-1", Time: at, Prev: link(4),
		},
		"segment.json": {
			Environment: prod, Epoch: epochA, Revision: 6,
			OpID: "import-1", Kind: document.KindSegment, Key: "nordics", Index: 2, Count: 3,
			Put:   []byte(`{"in":[{"var":"country"},["DK","FI","IS","NO","SE"]]}`),
			Actor: "actor-1", Time: at, Ledger: anchor(1 << 33), Control: anchor(2), Prev: link(5),
		},
		"flag.json": {
			Environment: prod, Epoch: epochA, Revision: 7,
			OpID: "import-1", Kind: document.KindFlag, Key: "checkout/express", Index: 3, Count: 3,
			Put:   []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"$ref":"nordics"},"on"]}}`),
			Actor: "actor-1", Approvers: []string{"actor-2", "actor-3"}, Reason: "Zahlung per Klick für \"alle\" <b>&</b>",
			Request: "request-7", Time: at, State: Sum([]byte("state")), Ledger: anchor(8), Control: anchor(2), Prev: link(6),
		},
		"flag-delete.json": {
			Environment: "staging", Epoch: epochB, Revision: 12,
			OpID: "delete-9", Kind: document.KindFlag, Key: "日本語 \u2028 🚀", Index: 1, Count: 1,
			Delete: true, Actor: "actor-1", Time: at, State: Sum([]byte("state")), Prev: link(11),
		},
		"raw-text.json": {
			Environment: "staging", Epoch: epochB, Revision: 13,
			OpID: "raw", Kind: document.KindFlag, Key: "raw", Index: 1, Count: 1,
			Put:  []byte(`{"escaped":"\u00e9\/\u003c","number":[1.0,1e3,-0,12345678901234567890],"plain":"é/<>&"}`),
			Time: at, State: Sum([]byte("state")), Prev: link(12),
		},
	}
}

func golden(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "v2", name))
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.TrimSuffix(data, []byte("\n"))
}

func TestGoldenEntries(t *testing.T) {
	for name, want := range goldenEntries() {
		data := golden(t, name)
		encoded, err := want.Encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(string(data), string(encoded)); diff != "" {
			t.Errorf("%s: encoded (-want +got):\n%s", name, diff)
		}
		got, err := DecodeEntry(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: decoded (-want +got):\n%s", name, diff)
		}
	}
}

func TestDecodedEntryDoesNotShare(t *testing.T) {
	data := golden(t, "flag.json")
	got, err := DecodeEntry(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if diff := cmp.Diff(goldenEntries()["flag.json"], got); diff != "" {
		t.Errorf("after the data was cleared (-want +got):\n%s", diff)
	}
}

func TestDecodeEntryRefuses(t *testing.T) {
	valid := string(golden(t, "flag.json"))
	f := func(name, old, replacement string) {
		t.Helper()
		if !strings.Contains(valid, old) {
			t.Fatalf("%s: the valid entry does not contain %q", name, old)
		}
		data := strings.Replace(valid, old, replacement, 1)
		if e, err := DecodeEntry([]byte(data)); err == nil {
			t.Errorf("%s: decoded %+v", name, e)
		}
	}
	f("unknown member", `"i":3`, `"i":3,"more":1`)
	f("unknown member by case", `"op":`, `"OP":`)
	f("duplicate member", `"i":3`, `"i":3,"i":3`)
	f("duplicate member in the document", `"on":true`, `"on":true,"on":true`)
	f("invalid UTF-8", "express", "\xff")
	f("no version", `"v":2,`, ``)
	f("version of another type", `"v":2`, `"v":"2"`)
	f("an older version", `"v":2`, `"v":1`)
	f("no environment", `"environment":"prod",`, ``)
	f("empty environment", `"environment":"prod"`, `"environment":""`)
	f("no revision", `"revision":7,`, ``)
	f("revision 0", `"revision":7`, `"revision":0`)
	f("the revision before it", `"revision":7`, `"revision":6`)
	f("fractional revision", `"revision":7`, `"revision":7.0`)
	f("revision as a string", `"revision":7`, `"revision":"7"`)
	f("short epoch", string(epochA), string(epochA[:31]))
	f("upper-case epoch", string(epochA), strings.ToUpper(string(epochA)))
	f("no epoch", `"epoch":"`+string(epochA)+`",`, ``)
	f("empty op-id", `"op":"import-1"`, `"op":""`)
	f("unknown kind", `"kind":"flag"`, `"kind":"rule"`)
	f("empty key", `"key":"checkout/express"`, `"key":""`)
	f("long key", `checkout/express`, strings.Repeat("k", document.MaxKey+1))
	f("settings under a key", `"kind":"flag"`, `"kind":"settings"`)
	f("epoch under a key", `"kind":"flag"`, `"kind":"epoch"`)
	f("number 0", `"i":3`, `"i":0`)
	f("number above count", `"i":3`, `"i":4`)
	f("negative number", `"i":3`, `"i":-1`)
	f("fraction", `"i":3`, `"i":2.5`)
	f("count 0", `"i":3,"n":3`, `"i":0,"n":0`)
	f("count above the limit", `"n":3`, `"n":1001`)
	f("document and deletion", `"actor":`, `"delete":true,"actor":`)
	f("long reason", `"reason":"Zahlung`, `"reason":"`+strings.Repeat("r", MaxReason))
	f("large document", `"state":"ENABLED"`, `"state":"`+strings.Repeat("x", document.MaxSize)+`"`)
	f("no time", `"time":"2026-03-04T05:06:07.089Z"`, `"time":""`)
	f("time that has no UTC form", `"time":"2026-03-04T05:06:07.089Z"`, `"time":"9999-12-31T23:00:00-05:00"`)
	prev, state := Sum([]byte{6}).String(), Sum([]byte("state")).String()
	f("short prev", prev, prev[1:])
	f("prev that is no digest", prev, strings.Repeat("g", 64))
	f("prev without a digest", prev, Digest{}.String())
	f("prev without a revision", `"prev":{"revision":6`, `"prev":{"revision":0`)
	f("prev with another member", `"prev":{`, `"prev":{"more":1,`)
	f("no state at the end of a transaction", `"state":"`+state+`",`, ``)
	f("zero state at the end of a transaction", state, Digest{}.String())
	f("state inside of a transaction", `"i":3`, `"i":2`)
	f("short state", state, state[1:])
	f("ledger that is no anchor", `"ledger":{"sequence":8`, `"ledger":{"revision":8`)
	f("a state that is renewed", `"actor":`, `"complete":1,"actor":`)

	for name, data := range map[string]string{
		"trailing bytes":  valid + `{}`,
		"cut off":         valid[:len(valid)-1],
		"no object":       `[` + valid + `]`,
		"nothing":         ``,
		"null":            `null`,
		"epoch with body": strings.Replace(string(golden(t, "epoch.json")), `"time"`, `"put":{},"time"`, 1),
		"no document":     strings.Replace(string(golden(t, "flag-delete.json")), `"delete":true,`, ``, 1),
		"keys deleted":    strings.NewReplacer(`"kind":"flag"`, `"kind":"keys"`, "日本語 \u2028 🚀", document.KeysKey).Replace(string(golden(t, "flag-delete.json"))),
	} {
		if e, err := DecodeEntry([]byte(data)); err == nil {
			t.Errorf("%s: decoded %+v", name, e)
		}
	}
}

func TestDecodeEntryOfAnotherVersion(t *testing.T) {
	for _, data := range []string{`{"v":3}`, `{"v":3,"new":{"member":1}}`, `{"v":1}`, `{"v":0}`} {
		if _, err := DecodeEntry([]byte(data)); !errors.Is(err, ErrVersion) {
			t.Errorf("%s: error %v, want ErrVersion", data, err)
		}
	}
	if _, err := DecodeEntry([]byte(`{"v":2,"new":1}`)); err == nil || errors.Is(err, ErrVersion) {
		t.Errorf("error %v, want one that is not about the version", err)
	}
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	f := func(name string, change func(*Entry)) {
		t.Helper()
		e := goldenEntries()["flag.json"]
		change(&e)
		if data, err := e.Encode(); err == nil {
			t.Errorf("%s: encoded %s", name, data)
		}
	}
	f("no environment", func(e *Entry) { e.Environment = "" })
	f("environment of two lines", func(e *Entry) { e.Environment = "prod\nstaging" })
	f("environment in no UTF-8", func(e *Entry) { e.Environment = "\xff" })
	f("no revision", func(e *Entry) { e.Revision = 0 })
	f("its own revision before it", func(e *Entry) { e.Prev.Revision = e.Revision })
	f("no revision before it", func(e *Entry) { e.Prev.Revision = 0 })
	f("no digest before it", func(e *Entry) { e.Prev.Digest = Digest{} })
	f("no state at the end", func(e *Entry) { e.State = Digest{} })
	f("state inside of a transaction", func(e *Entry) { e.Index = 1 })
	f("keys deleted", func(e *Entry) { e.Kind, e.Key, e.Put, e.Delete = document.KindKeys, document.KeysKey, nil, true })
	f("no epoch", func(e *Entry) { e.Epoch = "" })
	f("no op-id", func(e *Entry) { e.OpID = "" })
	f("op-id in no UTF-8", func(e *Entry) { e.OpID = "\xff" })
	f("reason in no UTF-8", func(e *Entry) { e.Reason = "\xff" })
	f("actor in no UTF-8", func(e *Entry) { e.Actor = "\xff" })
	f("key in no UTF-8", func(e *Entry) { e.Key = "\xff" })
	f("index 0", func(e *Entry) { e.Index = 0 })
	f("index above count", func(e *Entry) { e.Index = e.Count + 1 })
	f("count above the limit", func(e *Entry) { e.Count = MaxEntries + 1 })
	f("both", func(e *Entry) { e.Delete = true })
	f("neither", func(e *Entry) { e.Put = nil })
	f("empty document", func(e *Entry) { e.Put = []byte{} })
	f("document that is no JSON", func(e *Entry) { e.Put = []byte("{") })
	f("document that is two", func(e *Entry) { e.Put = []byte("{}{}") })
	f("document that repeats a member", func(e *Entry) { e.Put = []byte(`{"a":1,"a":2}`) })
	f("large document", func(e *Entry) { e.Put = []byte(`"` + strings.Repeat("x", document.MaxSize) + `"`) })
	f("long reason", func(e *Entry) { e.Reason = strings.Repeat("r", MaxReason+1) })
	f("time that cannot be written", func(e *Entry) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) })
}

func TestEntryAtItsLimits(t *testing.T) {
	want := goldenEntries()["flag.json"]
	want.Key = strings.Repeat("k", document.MaxKey)
	want.Reason = strings.Repeat("r", MaxReason)
	want.Index, want.Count = MaxEntries, MaxEntries
	want.Put = []byte(`"` + strings.Repeat("x", document.MaxSize-2) + `"`)
	data, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeEntry(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, wholeBytes()); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestCompactDocument(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		data := []byte(in)
		got, err := CompactDocument(data)
		if err != nil || string(got) != want {
			t.Errorf("CompactDocument(%q) = %q, %v, want %q", in, got, err, want)
		}
		if string(data) != in {
			t.Errorf("CompactDocument(%q) changed its argument", in)
		}
	}
	f(`{}`, `{}`)
	f(" {\n\t\"a\" : [ 1 , 2 ]\r\n} ", `{"a":[1,2]}`)
	f(`{"b":1,"a":2}`, `{"b":1,"a":2}`)
	f(`[1.0, 1e3, -0, 12345678901234567890]`, `[1.0,1e3,-0,12345678901234567890]`)
	f(`"\u00e9 \/ < é"`, `"\u00e9 \/ < é"`)
	if got, err := CompactDocument([]byte("{" + strings.Repeat(" ", 10_000) + "}")); err != nil || cap(got) > 100 {
		t.Errorf("%d bytes are kept for two, %v", cap(got), err)
	}

	for _, in := range []string{``, ` `, `{`, `{}{}`, `{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, "\"\xff\"", `{a:1}`, `[1,]`, `// {}`} {
		if got, err := CompactDocument([]byte(in)); err == nil {
			t.Errorf("CompactDocument(%q) = %q, want an error", in, got)
		}
	}
}

func TestCompactDocumentLimit(t *testing.T) {
	largest := `"` + strings.Repeat("x", document.MaxSize-2) + `"`
	if got, err := CompactDocument([]byte(" " + largest + "\n")); err != nil || len(got) != document.MaxSize {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := CompactDocument([]byte(`"x` + largest[1:])); err == nil {
		t.Error("a document above the limit was taken")
	}
}

// What decodes can be encoded, and decodes to the same again.
func FuzzDecodeEntry(f *testing.F) {
	for name := range goldenEntries() {
		f.Add(golden(f, name))
	}
	f.Add([]byte(`{"v":3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeEntry(data)
		plain, plainErr := decodeAnyEntry(data)
		if (err == nil) != (plainErr == nil) || err != nil && err.Error() != plainErr.Error() {
			t.Fatalf("%s is decoded with %v, plainly with %v", data, err, plainErr)
		}
		if diff := cmp.Diff(plain, e); diff != "" {
			t.Fatalf("%s (-plain +decoded):\n%s", data, diff)
		}
		if err != nil {
			return
		}
		encoded, err := e.Encode()
		if err != nil {
			t.Fatalf("%+v was decoded and cannot be encoded: %v", e, err)
		}
		again, err := DecodeEntry(encoded)
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		second, err := again.Encode()
		if err != nil || !bytes.Equal(encoded, second) {
			t.Fatalf("encoded %s, then %s, %v", encoded, second, err)
		}
	})
}

// The decoder of the usual form reads nothing into an entry that the plain one
// refuses.
func TestDecodeEntryRefusesInOnePass(t *testing.T) {
	valid := string(golden(t, "segment.json"))
	f := func(name, old, replacement string) {
		t.Helper()
		data := strings.Replace(valid, old, replacement, 1)
		if data == valid {
			t.Fatalf("%s: the valid entry does not contain %q", name, old)
		}
		if _, err := DecodeEntry([]byte(data)); err == nil {
			t.Errorf("%s: decoded %s", name, data)
		}
	}
	f("state that is a number", `"i":2,`, `"i":3,"state":`+strings.Repeat("1", 66)+`,`)
	f("state that is an object", `"i":2,`, `"i":3,"state":{},`)
	f("revision as a string", `"revision":6`, `"revision":"6"`)
	f("fractional revision", `"revision":6`, `"revision":6.0`)
	f("epoch that is null", `"`+string(epochA)+`"`, `null`)
	f("op-id that is a number", `"import-1"`, `1`)
	f("delete that is a string", `"i":2`, `"i":2,"delete":"true"`)
	f("time that is a number", `"2026-03-04T05:06:07.089Z"`, `1`)
	f("approvers that are a string", `"i":2`, `"i":2,"approvers":"a"`)
	f("approvers that are numbers", `"i":2`, `"i":2,"approvers":[1]`)
	f("prev twice", `"prev"`, `"prev":{"revision":5,"digest":"`+Sum([]byte{5}).String()+`"},"prev"`)
	f("a member twice in prev", `"prev":{"revision":5`, `"prev":{"revision":5,"revision":5`)
	f("a prev of null", `"prev":{`, `"prev":null,"more":{`)
	f("unknown member", `"i":2`, `"i":2,"more":1`)
	f("trailing bytes", valid, valid+"{}")
}

// What publishers usually write is decoded in one pass.
func TestCanonicalEntriesAreDecodedInOnePass(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"settings.json", "segment.json"} {
		if _, ok := readCanonical(golden(t, name)); !ok {
			t.Errorf("%s is not read in one pass", name)
		}
	}
}

func BenchmarkDecodeEntry(b *testing.B) {
	data := golden(b, "segment.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeEntry(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeEntryPlainly(b *testing.B) {
	data := golden(b, "segment.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeAnyEntry(data); err != nil {
			b.Fatal(err)
		}
	}
}
