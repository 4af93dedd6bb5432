package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/sync/changelog"
)

// sampleTail returns a tail with three changes and the offsets behind the
// header and behind each of them.
func sampleTail(tb testing.TB) (data []byte, at changelog.Position, changes []change, ends []int) {
	tb.Helper()
	h, _ := newHistory(tb)
	at = h.head.Position
	data, err := encodeTailHeader("prod", at)
	if err != nil {
		tb.Fatal(err)
	}
	ends = append(ends, len(data))
	after := at
	for _, tx := range []changelog.Transaction{
		h.commit(tb, flag("a", 1), flag("b", 2)),
		h.commit(tb, deleted("a")),
		h.commit(tb, flag(`<"&\u2028">`, 3)),
	} {
		c := changeOf(tx)
		if data, err = appendTailRecords(data, after, []change{c}); err != nil {
			tb.Fatal(err)
		}
		changes, ends, after = append(changes, c), append(ends, len(data)), c.head.Position
	}
	return data, at, changes, ends
}

func diffChanges(want, got []change) string {
	if len(want) == 0 && len(got) == 0 {
		return ""
	}
	return cmp.Diff(want, got, cmp.AllowUnexported(change{}))
}

func TestTailRoundTrip(t *testing.T) {
	data, at, changes, ends := sampleTail(t)
	got, err := decodeTail(data, "prod", at)
	if err != nil || !got.connects || got.end != int64(ends[3]) {
		t.Fatalf("decoded %+v, %v", got, err)
	}
	if diff := diffChanges(changes, got.changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestTailFromTheMiddle(t *testing.T) {
	data, _, changes, _ := sampleTail(t)
	for i := range changes {
		got, err := decodeTail(data, "prod", changes[i].head.Position)
		if err != nil || !got.connects {
			t.Fatalf("after change %d: %+v, %v", i, got, err)
		}
		if diff := diffChanges(changes[i+1:], got.changes); diff != "" {
			t.Errorf("after change %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestTailOfAnotherPosition(t *testing.T) {
	data, at, _, _ := sampleTail(t)
	at.Digest[0]++
	got, err := decodeTail(data, "prod", at)
	if err != nil || got.connects || len(got.changes) != 0 {
		t.Errorf("decoded %+v, %v, want nothing", got, err)
	}
}

func TestTailOfAnotherEnvironment(t *testing.T) {
	data, at, _, _ := sampleTail(t)
	if got, err := decodeTail(data, "staging", at); err == nil {
		t.Errorf("decoded %+v, want an error", got)
	}
}

// Cut off anywhere, a tail yields exactly the changes that are whole, and says
// where the next one can be appended.
func TestTailTruncatedAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: one thing after the other, which go test without it does")
	}
	data, at, changes, ends := sampleTail(t)
	for length := range len(data) {
		got, err := decodeTail(data[:length], "prod", at)
		if length < ends[0] {
			if !errors.Is(err, errTailFormat) {
				t.Fatalf("%d bytes: error %v, want one about the format", length, err)
			}
			continue
		}
		whole := 0
		for whole < len(changes) && ends[whole+1] <= length {
			whole++
		}
		if err != nil || got.end != int64(ends[whole]) {
			t.Fatalf("%d bytes: end %d, %v, want %d", length, got.end, err, ends[whole])
		}
		if diff := diffChanges(changes[:whole], got.changes); diff != "" {
			t.Fatalf("%d bytes (-want +got):\n%s", length, diff)
		}
	}
}

// A changed byte anywhere is noticed, and what stands before it is still used.
func TestTailDamagedAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: one thing after the other, which go test without it does")
	}
	data, at, changes, ends := sampleTail(t)
	for i := range data {
		damaged := bytes.Clone(data)
		damaged[i] ^= 0x20
		got, err := decodeTail(damaged, "prod", at)
		if err == nil {
			t.Fatalf("byte %d: the damage was not noticed", i)
		}
		whole := 0
		for whole < len(changes) && ends[whole+1] <= i {
			whole++
		}
		if diff := diffChanges(changes[:whole], got.changes); diff != "" {
			t.Fatalf("byte %d (-want +got):\n%s", i, diff)
		}
	}
}

// A record that is whole by itself but does not follow the one before ends the tail.
func TestTailWithMissingRecord(t *testing.T) {
	data, at, changes, ends := sampleTail(t)
	spliced := append(bytes.Clone(data[:ends[1]]), data[ends[2]:]...)
	got, err := decodeTail(spliced, "prod", at)
	if !errors.Is(err, errTailDamage) {
		t.Fatalf("error %v, want damage", err)
	}
	if diff := diffChanges(changes[:1], got.changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if got.end != int64(ends[1]) {
		t.Errorf("end %d, want %d", got.end, ends[1])
	}
}

// Whatever the bytes are, decoding ends, and what it believes can be encoded
// again to something that decodes to the same.
func FuzzDecodeTail(f *testing.F) {
	data, at, _, ends := sampleTail(f)
	f.Add(data)
	f.Add(data[:ends[0]])
	f.Add(data[:len(data)-1])
	f.Add([]byte(tailMagic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := newTailReader(data)
		if err != nil {
			return
		}
		first, _ := decodeTail(data, r.header.Environment, r.header.Position)
		if first.end > int64(len(data)) {
			t.Fatalf("end %d of %d bytes", first.end, len(data))
		}
		_, _ = decodeTail(data, "prod", at)
		header, err := encodeTailHeader(r.header.Environment, r.header.Position)
		if err != nil {
			t.Fatal(err)
		}
		again, err := appendTailRecords(header, r.header.Position, first.changes)
		if err != nil {
			t.Fatal(err)
		}
		second, err := decodeTail(again, r.header.Environment, r.header.Position)
		if err != nil {
			t.Fatal(err)
		}
		if diff := diffChanges(first.changes, second.changes); diff != "" {
			t.Fatalf("changes (-first +second):\n%s", diff)
		}
	})
}

// A change is in the tail before it is shown: while it is being written, the
// View is still the one before.
func TestTailComesBeforeView(t *testing.T) {
	s, h := liveStore(t, t.TempDir())
	before := s.View()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	_ = s.disk.tail.Close()
	s.disk.tail = writer // has room for less than the change, so that writing it has not ended when it is read

	large := flag("large", 1)
	large.Body = fmt.Appendf(nil, `{"state":"ENABLED","variants":{"v":%q},"defaultVariant":"v"}`, strings.Repeat("x", 1<<18))
	tx := h.commit(t, large)
	applied := make(chan error, 1)
	go func() { applied <- s.Apply([]changelog.Transaction{tx}) }()
	if _, err := reader.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if s.View() != before {
		t.Error("a change is shown that is not stored yet")
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	if err := <-applied; err != nil {
		t.Fatal(err)
	}
	checkView(t, s.View(), h)
}
