package changelog

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
)

// manyDocuments returns n documents, so many that their buckets hold several.
func manyDocuments(n int) []document.Document {
	documents := make([]document.Document, n)
	for i := range documents {
		key := strconv.Itoa(i)
		documents[i] = document.Document{Kind: document.KindFlag, Key: key, Revision: uint64(i + 1), Body: []byte(`{"n":` + key + `}`)}
	}
	return documents
}

// Some of the documents of a state are proved to belong to it, in memory and as JSON, by as many buckets as
// hold them.
func TestMembershipOfSome(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, size := range []int{1, 2, 10, 600} {
		all := manyDocuments(size)
		state := stateOf(all...)
		for range 20 {
			random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			some := all[:random.IntN(min(size, 5)+1)]
			m := state.Membership(some)
			if len(m.Buckets) > len(some) {
				t.Errorf("%d of %d documents are proved by %d buckets", len(some), size, len(m.Buckets))
			}
			encoded, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var decoded Membership
			if err := json.Unmarshal(encoded, &decoded); err != nil {
				t.Fatal(err)
			}
			for name, proof := range map[string]Membership{"made": m, "decoded": decoded} {
				if err := proof.Verify(some, state.Digest()); err != nil {
					t.Errorf("%s, %d of %d documents: %v", name, len(some), size, err)
				}
			}
		}
	}
}

// No document of a state without documents is proved.
func TestMembershipOfNone(t *testing.T) {
	var empty State
	if err := empty.Membership(nil).Verify(nil, empty.Digest()); err != nil {
		t.Errorf("nothing belongs to nothing: %v", err)
	}
	doc := testDocument(1)
	for name, m := range map[string]Membership{"of nothing": empty.Membership([]document.Document{doc}), "the zero value": {}} {
		if err := m.Verify([]document.Document{doc}, empty.Digest()); !errors.Is(err, ErrMembership) {
			t.Errorf("%s: error %v, want ErrMembership", name, err)
		}
	}
	if err := (Membership{}).Verify(nil, empty.Digest()); !errors.Is(err, ErrMembership) {
		t.Errorf("the zero value, of no documents: error %v, want ErrMembership", err)
	}
}

// Whatever is changed in a document or in its proof, it is no longer proved.
func TestMembershipForged(t *testing.T) {
	all := manyDocuments(600)
	state := stateOf(all...)
	some := all[:3]
	f := func(name string, change func(documents []document.Document, m *Membership) []document.Document) {
		t.Helper()
		m := state.Membership(some)
		m.Sums, m.Buckets = slices.Clone(m.Sums), slices.Clone(m.Buckets)
		for i := range m.Buckets {
			m.Buckets[i].Hashes = slices.Clone(m.Buckets[i].Hashes)
		}
		documents := change(slices.Clone(some), &m)
		if err := m.Verify(documents, state.Digest()); !errors.Is(err, ErrMembership) {
			t.Errorf("%s: error %v, want ErrMembership", name, err)
		}
	}
	f("another body", func(d []document.Document, _ *Membership) []document.Document {
		d[1].Body = []byte(`{"n":666}`)
		return d
	})
	f("no body", func(d []document.Document, _ *Membership) []document.Document { d[1].Body = nil; return d })
	f("another revision", func(d []document.Document, _ *Membership) []document.Document { d[1].Revision++; return d })
	f("another key", func(d []document.Document, _ *Membership) []document.Document { d[1].Key = "666"; return d })
	f("another kind", func(d []document.Document, _ *Membership) []document.Document {
		d[1].Kind = document.KindSegment
		return d
	})
	f("a document of no state", func(d []document.Document, _ *Membership) []document.Document { return append(d, testDocument(666)) })
	f("another count", func(d []document.Document, m *Membership) []document.Document { m.Count++; return d })
	f("a negative count", func(d []document.Document, m *Membership) []document.Document { m.Count = -m.Count; return d })
	f("no sums", func(d []document.Document, m *Membership) []document.Document { m.Sums = nil; return d })
	f("a sum less", func(d []document.Document, m *Membership) []document.Document { m.Sums = m.Sums[1:]; return d })
	f("a sum more", func(d []document.Document, m *Membership) []document.Document {
		m.Sums = append(m.Sums, Digest{})
		return d
	})
	f("another sum", func(d []document.Document, m *Membership) []document.Document { m.Sums[7][0]++; return d })
	f("two sums exchanged", func(d []document.Document, m *Membership) []document.Document {
		m.Sums[0], m.Sums[1] = m.Sums[1], m.Sums[0]
		return d
	})
	f("no buckets", func(d []document.Document, m *Membership) []document.Document { m.Buckets = nil; return d })
	f("a bucket under another number", func(d []document.Document, m *Membership) []document.Document { m.Buckets[0].Index ^= 1; return d })
	f("a hash less", func(d []document.Document, m *Membership) []document.Document {
		i := bucketWithSeveral(t, *m)
		m.Buckets[i].Hashes = m.Buckets[i].Hashes[1:]
		return append(d, inBucket(all, m.Buckets[i].Index)...)
	})
	f("hashes exchanged", func(d []document.Document, m *Membership) []document.Document {
		h := m.Buckets[bucketWithSeveral(t, *m)].Hashes
		h[0], h[1] = h[1], h[0]
		return d
	})
	forged := document.Document{Kind: document.KindFlag, Key: "forged", Revision: 1, Body: []byte(`{}`)}
	for len(inBucket(all, int(hashOf(forged)[0]))) == 0 {
		forged.Revision++
	}
	hash := hashOf(forged)
	f("a hash more", func(_ []document.Document, m *Membership) []document.Document {
		*m = state.Membership([]document.Document{forged})
		m.Buckets[0].Hashes = append(slices.Clone(m.Buckets[0].Hashes), hash)
		return []document.Document{forged}
	})
	f("a hash more and its sum", func(_ []document.Document, m *Membership) []document.Document {
		*m = state.Membership([]document.Document{forged})
		m.Buckets[0].Hashes = append(slices.Clone(m.Buckets[0].Hashes), hash)
		m.Sums[hash[0]] = sumOf(m.Buckets[0].Hashes)
		return []document.Document{forged}
	})
	f("a bucket twice, the first one forged", func(_ []document.Document, m *Membership) []document.Document {
		*m = state.Membership([]document.Document{forged})
		m.Buckets = slices.Insert(m.Buckets, 0, BucketList{Index: int(hash[0]), Hashes: []Digest{hash}})
		return []document.Document{forged}
	})
	f("the proof of another state", func(d []document.Document, m *Membership) []document.Document {
		*m = stateOf(append(slices.Clone(all), forged)...).Membership(d)
		return d
	})
}

func bucketWithSeveral(t *testing.T, m Membership) int {
	t.Helper()
	i := slices.IndexFunc(m.Buckets, func(b BucketList) bool { return len(b.Hashes) > 1 })
	if i < 0 {
		t.Fatal("no bucket holds several documents")
	}
	return i
}

func inBucket(documents []document.Document, index int) []document.Document {
	return slices.DeleteFunc(slices.Clone(documents), func(d document.Document) bool { return int(hashOf(d)[0]) != index })
}

// A proof that was made stays what it was when the state is edited on.
func TestMembershipSharesNothingThatChanges(t *testing.T) {
	all := manyDocuments(600)
	state := stateOf(all...)
	m := state.Membership(all[:5])
	edit := state.Edit()
	for _, d := range all[:300] {
		edit.Remove(d)
		d.Revision++
		edit.Add(d)
	}
	edit.State()
	if err := m.Verify(all[:5], state.Digest()); err != nil {
		t.Error(err)
	}
}

// Whatever is decoded as a proof, it proves nothing but the documents of the state.
func FuzzMembership(f *testing.F) {
	all := manyDocuments(20)
	state := stateOf(all...)
	outside := append(manyDocuments(25)[20:], testDocument(666))
	add := func(m Membership) {
		encoded, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	add(state.Membership(all))
	add(state.Membership(outside))
	add(stateOf(outside...).Membership(outside))
	add(Membership{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Membership
		if json.Unmarshal(data, &m) != nil {
			return
		}
		_ = m.Verify(all, state.Digest())
		for _, d := range outside {
			if m.Verify([]document.Document{d}, state.Digest()) == nil {
				t.Errorf("%s is proved to belong to a state that lacks it", d.ID())
			}
		}
	})
}
