package changelog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/flagside/flagside/document"
)

// naiveHash and naiveState are the formulas of state.go once more.

func naiveHash(d document.Document) [32]byte {
	var text []byte
	for _, part := range [][]byte{[]byte(d.Kind), []byte(d.Key), binary.BigEndian.AppendUint64(nil, d.Revision), d.Body} {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	return sha256.Sum256(text)
}

func naiveState(documents []document.Document) Digest {
	hashes := make([][]byte, len(documents))
	for i, d := range documents {
		hash := naiveHash(d)
		hashes[i] = hash[:]
	}
	slices.SortFunc(hashes, bytes.Compare)
	text := binary.BigEndian.AppendUint64([]byte("flagside state 2\n"), uint64(len(hashes)))
	for first := range 256 {
		var bucket []byte
		for _, hash := range hashes {
			if int(hash[0]) == first {
				bucket = append(bucket, hash...)
			}
		}
		sum := sha256.Sum256(bucket)
		text = append(text, sum[:]...)
	}
	return sha256.Sum256(text)
}

// The state digest is signed and in logs and snapshots, so its definition is
// fixed. The digests were made by another program.
func TestGoldenState(t *testing.T) {
	f := func(name, want string, documents ...document.Document) {
		t.Helper()
		if got := stateOf(documents...).Digest().String(); got != want {
			t.Errorf("%s: state digest %s, want %s", name, got, want)
		}
		if got := naiveState(documents).String(); got != want {
			t.Errorf("%s: recomputed %s, want %s", name, got, want)
		}
	}
	f("nothing", "407e309ac42125fe4edb3f48c39980afdb4e6ab15e8f3dc0bd6058162ca17d60")
	f("two", "f80eceb03f6012be446dfcd4574dbb1d041f80f0ef306e974d51fadfd71a0d38",
		document.Document{Kind: document.KindFlag, Key: "a", Revision: 2, Body: []byte(`{"n":1}`)},
		document.Document{Kind: document.KindSegment, Key: "é", Revision: 1 << 40, Body: []byte(`true`)})
	var thousand []document.Document
	for i := range 1000 {
		thousand = append(thousand, testDocument(i))
	}
	f("a thousand", "058691861cac6452887392ccdba12f279b0681a474de24e45da46c271dc85481", thousand...)
	if got := (State{}).Digest(); got != stateOf().Digest() {
		t.Errorf("the zero state is %s", got)
	}
}

// testDocument is number i of the documents of state tests.
func testDocument(i int) document.Document {
	return document.Document{Kind: document.KindFlag, Key: "flag-" + strconv.Itoa(i), Revision: uint64(i) + 1, Body: fmt.Appendf(nil, `{"n":%d}`, i)}
}

func TestStateOrderDoesNotMatter(t *testing.T) {
	var documents []document.Document
	for i := range 600 {
		documents = append(documents, testDocument(i))
	}
	random := rand.New(rand.NewPCG(1, 2))
	want := stateOf(documents...).Digest()
	for range 10 {
		random.Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
		if got := stateOf(documents...).Digest(); got != want {
			t.Fatalf("state digest %s in another order, %s before", got, want)
		}
		cut := random.IntN(len(documents))
		e := stateOf(documents[:cut]...).Edit()
		for _, d := range documents[cut:] {
			e.Add(d)
		}
		if got := e.State().Digest(); got != want {
			t.Fatalf("state digest %s in two edits, %s before", got, want)
		}
	}
	e := stateOf(documents...).Edit()
	for _, d := range documents {
		e.Remove(d)
	}
	if got := e.State().Digest(); got != (State{}).Digest() {
		t.Errorf("state digest %s after everything was taken out", got)
	}
}

// Random edits of random earlier states: each result is that of a recomputation,
// and none changes a state that was there before.
func TestStateAgainstModel(t *testing.T) {
	type version struct {
		state     State
		documents []document.Document
		digest    Digest
	}
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 3))
		versions := []version{{digest: naiveState(nil)}}
		for range 120 {
			from := versions[random.IntN(len(versions))]
			if random.IntN(3) > 0 {
				from = versions[len(versions)-1]
			}
			edit, documents := from.state.Edit(), slices.Clone(from.documents)
			for range random.IntN(12) {
				documents = editRandomly(random, edit, documents)
			}
			next := version{state: edit.State(), documents: documents, digest: naiveState(documents)}
			if got := next.state.Digest(); got != next.digest {
				t.Fatalf("seed %d: state digest %s of %d documents, want %s", seed, got, len(documents), next.digest)
			}
			versions = append(versions, next)
		}
		for i, v := range versions {
			if got := v.state.Digest(); got != v.digest {
				t.Fatalf("seed %d: state %d was changed by a later edit: %s, want %s", seed, i, got, v.digest)
			}
		}
	}
}

func editRandomly(random *rand.Rand, e *StateEdit, documents []document.Document) []document.Document {
	d := testDocument(random.IntN(1 << 30))
	switch at := random.IntN(len(documents) + 1); {
	case at == len(documents) || random.IntN(2) == 0:
		e.Add(d)
		return append(documents, d)
	case random.IntN(5) == 0: // what is absent: never there, or there in another form
		for _, absent := range []document.Document{
			d,
			{Kind: documents[at].Kind, Key: documents[at].Key, Revision: documents[at].Revision + 1, Body: documents[at].Body},
			{Kind: documents[at].Kind, Key: documents[at].Key, Revision: documents[at].Revision, Body: d.Body},
		} {
			e.Remove(absent)
		}
		return documents
	default:
		e.Remove(documents[at])
		return slices.Delete(documents, at, at+1)
	}
}

// Two edits of one state do not see each other, whichever is ended first.
func TestStateEditsAreIsolated(t *testing.T) {
	var documents []document.Document
	for i := range 2000 { // several in each bucket
		documents = append(documents, testDocument(i))
	}
	base := stateOf(documents...)
	digest := base.Digest()
	a, b := base.Edit(), base.Edit()
	for _, d := range documents {
		a.Remove(d)
	}
	b.Add(testDocument(5000))
	after := b.State()
	if got := a.State().Digest(); got != naiveState(nil) {
		t.Errorf("the edit that takes out everything gives %s", got)
	}
	if got, want := after.Digest(), naiveState(append(documents, testDocument(5000))); got != want {
		t.Errorf("the edit that adds one gives %s, want %s", got, want)
	}
	if base.Digest() != digest {
		t.Error("an edit has changed the state that it began with")
	}
	if got := base.Edit().State().Digest(); got != digest {
		t.Errorf("an edit that changes nothing gives %s, want %s", got, digest)
	}
}

// A document that is there twice counts twice, so that a snapshot cannot repeat
// one in the place of another.
func TestStateCountsTwice(t *testing.T) {
	d := testDocument(1)
	once, twice := stateOf(d), stateOf(d, d)
	if once.Digest() == twice.Digest() || twice.Digest() != naiveState([]document.Document{d, d}) {
		t.Errorf("once %s, twice %s", once.Digest(), twice.Digest())
	}
	e := twice.Edit()
	e.Remove(d)
	if got := e.State().Digest(); got != once.Digest() {
		t.Errorf("twice without one is %s, want %s", got, once.Digest())
	}
}

// Among twice 300 documents a forger finds 300 whose hashes have any XOR that is wanted, by solving 256 equations. The digest differs.
func TestStateOfTheSameXOR(t *testing.T) {
	var honest, forged []document.Document
	var want Digest
	for i := range 300 {
		d := testDocument(i)
		honest = append(honest, d)
		want = xor(want, naiveHash(d))
	}
	spelling := func(i int, other bool) document.Document {
		body := `{"forged": true}`
		if other {
			body = `{"forged":true}`
		}
		return document.Document{Kind: document.KindFlag, Key: fmt.Sprint("forged-", i), Revision: 1, Body: []byte(body)}
	}
	var rows []equation // in echelon form, each with the choices that it takes
	rest := want
	for i := range 300 {
		plain := Digest(naiveHash(spelling(i, false)))
		rest = xor(rest, plain)
		rows = addEquation(rows, equation{xor(plain, naiveHash(spelling(i, true))), new(big.Int).SetBit(new(big.Int), i, 1)})
	}
	choices := new(big.Int)
	for _, row := range rows {
		if bitOf(rest, row.pivot()) {
			rest = xor(rest, row.sum)
			choices.Xor(choices, row.choices)
		}
	}
	if !rest.IsZero() {
		t.Fatal("there is no solution: use more documents")
	}
	var got Digest
	for i := range 300 {
		d := spelling(i, choices.Bit(i) == 1)
		forged = append(forged, d)
		got = xor(got, naiveHash(d))
	}
	if got != want {
		t.Fatal("the forged documents have another XOR, so that the test proves nothing")
	}
	if stateOf(honest...).Digest() == stateOf(forged...).Digest() {
		t.Error("the forged documents have the state digest of the honest ones")
	}
}

// equation is a sum of differences between spellings, and which those are.
type equation struct {
	sum     Digest
	choices *big.Int
}

// pivot returns the first bit of the sum that is set.
func (e equation) pivot() int {
	for i := range 8 * len(e.sum) {
		if bitOf(e.sum, i) {
			return i
		}
	}
	return -1
}

// addEquation adds an equation that is independent of the others, whose pivots grow.
func addEquation(rows []equation, e equation) []equation {
	for _, row := range rows {
		if bitOf(e.sum, row.pivot()) {
			e = equation{xor(e.sum, row.sum), new(big.Int).Xor(e.choices, row.choices)}
		}
	}
	if e.sum.IsZero() {
		return rows
	}
	rows = append(rows, e)
	slices.SortFunc(rows, func(a, b equation) int { return a.pivot() - b.pivot() })
	return rows
}

func bitOf(d Digest, i int) bool { return d[i/8]>>(7-i%8)&1 == 1 }

func xor(a, b Digest) Digest {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}

// Bytes that move from one part to the next make another state.
func TestStateSeparatesParts(t *testing.T) {
	seen := make(map[Digest]document.Document)
	for _, d := range []document.Document{
		{Kind: "flag", Key: "ab", Revision: 1, Body: []byte("c")},
		{Kind: "flag", Key: "a", Revision: 1, Body: []byte("bc")},
		{Kind: "flaga", Key: "b", Revision: 1, Body: []byte("c")},
		{Kind: "flag", Key: "abc", Revision: 1},
		{Kind: "flag", Key: "ab", Revision: 2, Body: []byte("c")},
		{Kind: "flag", Key: "ab", Revision: 256, Body: []byte("c")},
		{Kind: "segment", Key: "ab", Revision: 1, Body: []byte("c")},
		{},
	} {
		sum := stateOf(d).Digest()
		if other, ok := seen[sum]; ok {
			t.Errorf("%+v and %+v have the state %s", d, other, sum)
		}
		seen[sum] = d
	}
}

// The edits of a state of 10,000 documents, as a publisher makes for each change.
func BenchmarkStateChange(b *testing.B) {
	documents := make([]document.Document, 10_000)
	for i := range documents {
		documents[i] = testDocument(i)
		documents[i].Body = append(bytes.Repeat([]byte("x"), 600), documents[i].Body...)
	}
	state := stateOf(documents...)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := &documents[i%len(documents)]
		e := state.Edit()
		e.Remove(*d)
		d.Revision++
		e.Add(*d)
		state = e.State()
		_ = state.Digest()
	}
}
