package changelog

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestDigestText(t *testing.T) {
	const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	d := Sum([]byte("hello"))
	if d.String() != hello {
		t.Errorf("String() = %q", d.String())
	}
	text, err := d.MarshalText()
	if err != nil || string(text) != hello {
		t.Errorf("MarshalText() = %q, %v", text, err)
	}
	var got Digest
	if err := got.UnmarshalText(text); err != nil || got != d {
		t.Errorf("UnmarshalText() = %s, %v", got, err)
	}
	for _, text := range []string{"", hello[1:], hello[2:], hello + "0", hello + "00", "g" + hello[1:], strings.ToUpper(hello)} {
		got := d
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("UnmarshalText(%q) = %s", text, got)
		}
		if got != d {
			t.Errorf("UnmarshalText(%q) left %s behind", text, got)
		}
	}
	if d.IsZero() || !(Digest{}).IsZero() {
		t.Error("only the zero digest is zero")
	}
}

// The state digest is written to logs and snapshots, so its definition is
// fixed: this is what it was in version 1.
func TestToggleGolden(t *testing.T) {
	d := Digest{}.
		Toggle(Document{Kind: KindFlag, Key: "a", Revision: 2, Body: []byte(`{"n":1}`)}).
		Toggle(Document{Kind: KindSegment, Key: "é", Revision: 1 << 40, Body: []byte(`true`)})
	const want = "96715e7e256327f72136df951b7c8730ed935e4384b48ac5cd1d90de95741b9f"
	if d.String() != want {
		t.Errorf("state digest %s, want %s", d, want)
	}
}

func TestToggleOrderDoesNotMatter(t *testing.T) {
	var documents []Document
	for i := range 50 {
		documents = append(documents, Document{Kind: KindFlag, Key: strconv.Itoa(i), Revision: uint64(i), Body: []byte(`{}`)})
	}
	random := rand.New(rand.NewPCG(1, 2))
	var want Digest
	for round := range 5 {
		var got Digest
		for _, d := range documents {
			got = got.Toggle(d)
		}
		if round == 0 {
			want = got
		}
		if got != want {
			t.Errorf("digest %s in another order, %s before", got, want)
		}
		random.Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
	}
	for _, d := range documents {
		want = want.Toggle(d)
	}
	if !want.IsZero() {
		t.Errorf("digest %s after everything was taken out", want)
	}
}

// Bytes that move from one part to the next make another digest.
func TestToggleSeparatesParts(t *testing.T) {
	seen := make(map[Digest]Document)
	for _, d := range []Document{
		{Kind: "flag", Key: "ab", Revision: 1, Body: []byte("c")},
		{Kind: "flag", Key: "a", Revision: 1, Body: []byte("bc")},
		{Kind: "flaga", Key: "b", Revision: 1, Body: []byte("c")},
		{Kind: "flag", Key: "abc", Revision: 1},
		{Kind: "flag", Key: "ab", Revision: 2, Body: []byte("c")},
		{Kind: "flag", Key: "ab", Revision: 256, Body: []byte("c")},
		{Kind: "segment", Key: "ab", Revision: 1, Body: []byte("c")},
		{},
	} {
		sum := Digest{}.Toggle(d)
		if other, ok := seen[sum]; ok {
			t.Errorf("%+v and %+v have the digest %s", d, other, sum)
		}
		seen[sum] = d
	}
}
