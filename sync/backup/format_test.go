package backup_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/sync/backup"
)

// header is that of the backups of these tests.
func header(last uint64) backup.Header {
	return backup.Header{
		Version: 1, Installation: strings.Repeat("a", 32), Time: time.Unix(1, 0).UTC(), Trust: "trust", Checkpoint: "checkpoint", Keys: true,
		Streams: []backup.Stream{{"PEOPLE", 9}, {"CONTROL", 0}, {"LEDGER_prod", 2}, {"FLAGS_prod", last}},
	}
}

func keyFiles() map[string][]byte { return map[string][]byte{"signing.key": []byte("secret\n")} }

// messages are some, with a hole, headers, and nothing.
func messages(n int) []backup.Message {
	all := []backup.Message{
		{Sequence: 1, Subject: "flags.prod.x", Time: time.Unix(0, 1).UTC(), Data: []byte("{}")},
		{Sequence: 4, Subject: "flags.prod.y", Headers: []backup.Field{{"A", "1"}, {"A", "2"}, {"B", ""}}},
	}
	for i := range n {
		data := make([]byte, 3000)
		for at := range data {
			data[at] = byte(rand.IntN(256))
		}
		all = append(all, backup.Message{Sequence: uint64(5 + i), Subject: fmt.Sprint("flags.prod.", i), Data: data})
	}
	return all
}

// written returns a backup of all streams of header.
func written(tb testing.TB, all []backup.Message) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, header(all[len(all)-1].Sequence))
	if err != nil {
		tb.Fatal(err)
	}
	write := func(stream int, m backup.Message) {
		if err := w.Write(stream, m); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.WriteKeys(keyFiles()); err != nil {
		tb.Fatal(err)
	}
	write(0, backup.Message{Sequence: 3, Subject: "people.x"})
	write(2, backup.Message{Sequence: 1, Subject: "ledger.prod.records"})
	write(2, backup.Message{Sequence: 2, Subject: "ledger.prod.records"})
	for _, m := range all {
		write(3, m)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestBackupIsReadAsWritten(t *testing.T) {
	t.Parallel()
	all := messages(2000) // six parts
	f, err := backup.Open(bytes.NewReader(written(t, all)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.Header, header(2004)) + cmp.Diff(f.Keys, keyFiles()) + cmp.Diff(f.Messages, []int{1, 0, 2, len(all)}); diff != "" {
		t.Error(diff)
	}
	if want := sha256.Sum256(written(t, all)); f.Sum != want {
		t.Errorf("SHA-256 %x, that of the file is %x", f.Sum, want)
	}
	number, ok := f.Stream("FLAGS_prod")
	var got []backup.Message
	for m, err := range f.All(number) {
		if err != nil {
			t.Fatal(err)
		}
		m.Data = bytes.Clone(m.Data)
		got = append(got, m)
	}
	normal := cmp.Transformer("bytes", func(b []byte) string { return string(b) })
	if diff := cmp.Diff(got, all, normal); !ok || diff != "" {
		t.Error(diff)
	}
	if _, ok := f.Stream("FLAGS_other"); ok {
		t.Error("a stream is there that the header does not name")
	}
}

// A backup that was cut off, altered in any byte or continued is refused, and the place is named.
func TestAlteredBackupIsRefused(t *testing.T) {
	t.Parallel()
	whole := written(t, messages(600))
	refused := func(what string, data []byte, from, to int64) {
		t.Helper()
		_, err := backup.Open(bytes.NewReader(data))
		why, ok := errors.AsType[*backup.DamagedError](err)
		if !ok || why.Offset < from || why.Offset > to || !strings.Contains(err.Error(), fmt.Sprint("at byte ", why.Offset)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	places := []int{0, 1, 17, 18, 19, 22, 23, 24, len(whole) - 1, len(whole) - 32, len(whole) - 33, len(whole) - 36, len(whole) - 37}
	for range 400 {
		places = append(places, rand.IntN(len(whole)))
	}
	for _, at := range places {
		refused(fmt.Sprintf("cut at %d", at), whole[:at], 0, int64(at))
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << rand.IntN(8)
		refused(fmt.Sprintf("flipped at %d", at), flipped, 0, int64(at))
	}
	refused("continued", append(bytes.Clone(whole), 0), 1, int64(len(whole)))
	refused("two", append(bytes.Clone(whole), whole...), 1, int64(len(whole)))
	_, err := backup.Open(bytes.NewReader(whole[:len(whole)-100]))
	if err == nil || !strings.Contains(err.Error(), "(FLAGS_prod, behind message ") {
		t.Errorf("cut in a stream: %v", err)
	}
}

// What a writer is told to write must be what the header says.
func TestWriterRefusesWhatReadersWould(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*backup.Writer) error{
		"a stream that is not complete": func(w *backup.Writer) error { return w.Write(2, backup.Message{Sequence: 1}) },
		"a stream behind another": func(w *backup.Writer) error {
			return errors.Join(w.Write(2, backup.Message{Sequence: 2}), w.Write(0, backup.Message{Sequence: 1}))
		},
		"a message twice": func(w *backup.Writer) error {
			return errors.Join(w.Write(2, backup.Message{Sequence: 1}), w.Write(2, backup.Message{Sequence: 1}))
		},
		"a message behind the last":      func(w *backup.Writer) error { return w.Write(2, backup.Message{Sequence: 3}) },
		"a stream that is not announced": func(w *backup.Writer) error { return w.Write(4, backup.Message{Sequence: 1}) },
		"streams that are missing":       func(*backup.Writer) error { return nil },
		"keys that are not announced":    func(w *backup.Writer) error { return w.WriteKeys(keyFiles()) },
	} {
		h := header(1)
		h.Keys = false
		w, err := backup.NewWriter(&bytes.Buffer{}, h)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(write(w), w.Close()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, change := range map[string]func(*backup.Header){
		"no trust file":  func(h *backup.Header) { h.Trust = "" },
		"another stream": func(h *backup.Header) { h.Streams[0].Name = "SNAP_prod" },
		"one twice":      func(h *backup.Header) { h.Streams[0] = h.Streams[1] },
		"a bad name":     func(h *backup.Header) { h.Streams[3].Name = "FLAGS_../x" },
	} {
		h := header(1)
		if change(&h); func() error { _, err := backup.NewWriter(&bytes.Buffer{}, h); return err }() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzOpen finds no bytes that a reader takes for a backup, or that stop it, but those that a writer writes.
func FuzzOpen(f *testing.F) {
	small := written(f, messages(2))
	f.Add(small)
	f.Add(small[:len(small)/2])
	f.Add([]byte("flagside backup 1\n\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := backup.Open(bytes.NewReader(data))
		if err != nil {
			if _, ok := errors.AsType[*backup.DamagedError](err); !ok {
				t.Fatalf("it names no place: %v", err)
			}
			return
		}
		for i := range file.Header.Streams {
			for _, err := range file.All(i) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// FuzzPart finds no content of a part that stops a reader.
func FuzzPart(f *testing.F) {
	f.Add(backup.AppendMessage(nil, messages(0)[1]))
	f.Add([]byte{1, 0, 0, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		for m, err := range backup.Decode(data) {
			if err != nil {
				return
			}
			if again := backup.AppendMessage(nil, m); len(again) == 0 {
				t.Fatal("nothing")
			}
		}
	})
}
