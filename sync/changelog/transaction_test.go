package changelog

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

func TestAssembleWholeTransactions(t *testing.T) {
	l := newLog(t)
	var a Assembler
	for _, count := range []int{1, 3, 1, MaxEntries, 2} {
		op := "op-" + strconv.Itoa(count)
		for index := 1; index <= count; index++ {
			r := l.put(t, op, index, count)
			tx, err := a.Add(r)
			if err != nil || (tx != nil) != (index == count) {
				t.Fatalf("%d of %d: %d records, %v", index, count, len(tx), err)
			}
			if tx != nil && (len(tx) != count || tx.OpID() != op || tx.Position() != r.Position()) {
				t.Fatalf("transaction %s of %d records at %v", tx.OpID(), len(tx), tx.Position())
			}
		}
	}
}

func TestAssembleFragments(t *testing.T) {
	type step struct {
		op           string
		index, count int
		whole        bool // a transaction comes back
		fragment     bool // with ErrFragment
	}
	for name, steps := range map[string][]step{
		"begins in the middle": {
			{op: "a", index: 2, count: 3, fragment: true},
			{op: "a", index: 3, count: 3, fragment: true},
			{op: "b", index: 1, count: 1, whole: true},
		},
		"interrupted by one": {
			{op: "a", index: 1, count: 2},
			{op: "b", index: 1, count: 1, whole: true, fragment: true},
			{op: "a", index: 2, count: 2, fragment: true},
			{op: "c", index: 1, count: 1, whole: true},
		},
		"interrupted by several": {
			{op: "a", index: 1, count: 3},
			{op: "a", index: 2, count: 3},
			{op: "b", index: 1, count: 2, fragment: true},
			{op: "b", index: 2, count: 2, whole: true},
		},
		"interrupted by a fragment": {
			{op: "a", index: 1, count: 3},
			{op: "b", index: 2, count: 2, fragment: true},
			{op: "a", index: 2, count: 3, fragment: true},
			{op: "a", index: 1, count: 1, whole: true},
		},
		"begins again": {
			{op: "a", index: 1, count: 2},
			{op: "a", index: 1, count: 2, fragment: true},
			{op: "a", index: 2, count: 2, whole: true},
		},
		"skips one": {
			{op: "a", index: 1, count: 3},
			{op: "a", index: 3, count: 3, fragment: true},
			{op: "b", index: 1, count: 1, whole: true},
		},
		"changes its count": {
			{op: "a", index: 1, count: 2},
			{op: "a", index: 2, count: 3, fragment: true},
			{op: "a", index: 3, count: 3, fragment: true},
		},
		"repeats its last": {
			{op: "a", index: 1, count: 2},
			{op: "a", index: 2, count: 2, whole: true},
			{op: "a", index: 2, count: 2, fragment: true},
		},
	} {
		l := newLog(t)
		var a Assembler
		for i, s := range steps {
			tx, err := a.Add(l.put(t, s.op, s.index, s.count))
			if (tx != nil) != s.whole || errors.Is(err, ErrFragment) != s.fragment || (err != nil) != s.fragment {
				t.Errorf("%s, step %d: %d records, %v", name, i+1, len(tx), err)
			}
			if s.whole && (len(tx) != s.count || tx.OpID() != s.op) {
				t.Errorf("%s, step %d: transaction %s of %d records", name, i+1, tx.OpID(), len(tx))
			}
		}
	}
}

func TestAssemblerReset(t *testing.T) {
	l := newLog(t)
	var a Assembler
	if _, err := a.Add(l.put(t, "a", 1, 2)); err != nil {
		t.Fatal(err)
	}
	a.Reset()
	if tx, err := a.Add(l.put(t, "b", 1, 1)); err != nil || len(tx) != 1 {
		t.Errorf("after Reset: %d records, %v", len(tx), err)
	}
}

// Against a naive reading of the whole log: the transactions are exactly the
// runs 1 to n of one op, whatever stands between them, and there is an error
// exactly when something was dropped.
func TestAssemblerAgainstModel(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		l := newLog(t)
		var records []Record
		for range 60 {
			count := 1 + random.IntN(4)
			op := "op-" + strconv.Itoa(random.IntN(3))
			for index := 1; index <= count; index++ {
				if random.IntN(8) > 0 {
					records = append(records, l.put(t, op, index, count))
				}
			}
		}
		want := wholeRuns(records)

		var a Assembler
		var got []Transaction
		errs := 0
		for _, r := range records {
			tx, err := a.Add(r)
			if err != nil {
				errs++
			}
			if tx != nil {
				got = append(got, tx)
			}
		}
		if diff := cmp.Diff(want, got, wholeBytes()); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		used := 0
		for _, tx := range want {
			used += len(tx)
		}
		if dropped := len(records) - used - len(a.pending); (dropped > 0) != (errs > 0) {
			t.Fatalf("seed %d: %d records were dropped with %d errors", seed, dropped, errs)
		}
	}
}

// wholeRuns finds the transactions by looking ahead.
func wholeRuns(records []Record) []Transaction {
	var found []Transaction
	for i := 0; i < len(records); {
		n := records[i].Count
		if i+n <= len(records) && isRun(records[i:i+n]) {
			found = append(found, Transaction(records[i:i+n]))
			i += n
		} else {
			i++
		}
	}
	return found
}

func isRun(records []Record) bool {
	for i, r := range records {
		if r.Index != i+1 || r.Count != len(records) || r.OpID != records[0].OpID {
			return false
		}
	}
	return true
}

func TestRecord(t *testing.T) {
	data := golden(t, "flag.json")
	entry := goldenEntries()["flag.json"]
	r, err := DecodeRecord(entry.Revision, data)
	if err != nil {
		t.Fatal(err)
	}
	want := Record{Entry: entry, Digest: Sum(data), Size: len(data)}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	position := Position{Epoch: epochA, Revision: entry.Revision, Digest: Sum(data)}
	if diff := cmp.Diff(Head{Position: position, State: entry.State}, r.Head()); diff != "" {
		t.Errorf("head (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(document.Document{Kind: document.KindFlag, Key: entry.Key, Revision: entry.Revision, Body: entry.Put}, r.Document()); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
	if _, err := DecodeRecord(entry.Revision, data[1:]); err == nil {
		t.Error("a damaged record was decoded")
	}
	if _, err := DecodeRecord(entry.Revision+1, data); err == nil {
		t.Error("a record was decoded at another revision")
	}
}
