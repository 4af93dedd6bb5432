package changelog

import (
	"slices"
	"testing"

	"github.com/flagside/flagside/document"
)

// judgeAt returns a judge of prod that stands at the head of a log.
func judgeAt(tb testing.TB, l *log) *Judge {
	tb.Helper()
	return NewJudge(keysA().keyring(tb), prod, l.head)
}

// settled returns the revisions of what a judge proves.
func settled(j *Judge) (revisions []uint64) {
	for _, r := range j.Settle(-1) {
		revisions = append(revisions, r.Revision)
	}
	return revisions
}

// What a message must be to count: each case is the true next entry but for one
// thing, and signed by the true key unless the case is about that.
func TestJudgeNoise(t *testing.T) {
	a := keysA()
	l := newLog(t)
	l.put(t, "before", 1, 1)
	next := Entry{OpID: "next", Kind: document.KindFlag, Key: "k", Index: 1, Count: 1, Put: []byte("{}")}
	// f offers what change made of the true next message or entry.
	f := func(name string, change func(m *Message)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			j := judgeAt(t, l)
			_, m := l.prepare(t, next)
			change(&m)
			verdict, r := j.Offer(m)
			if got := j.Settle(-1); len(got) != 0 || j.Head() != l.head {
				t.Errorf("%v, accepted %d entries", verdict, len(got))
			}
			if verdict == Noise && r.Digest != (Digest{}) {
				t.Error("noise has a record")
			}
		})
	}
	signed := func(name string, want Verdict, key testKey, change func(e *Entry), after func(m *Message)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			e := next
			e.Environment, e.Epoch, e.Revision, e.Prev, e.State = prod, l.head.Epoch, l.head.Revision+1, l.head.Link(), Sum(nil)
			change(&e)
			_, m := signEntry(t, key.signer(t), e)
			if after != nil {
				after(&m)
			}
			j := judgeAt(t, l)
			verdict, _ := j.Offer(m)
			if got := settled(j); verdict != want || len(got) != 0 {
				t.Errorf("verdict %d, want %d, accepted %d", verdict, want, got)
			}
		})
	}
	nothing := func(*Entry) {}

	j := judgeAt(t, l)
	_, m := l.prepare(t, next)
	if verdict, r := j.Offer(m); verdict != Candidate || r.Digest != Sum(m.Data) {
		t.Fatalf("the true one: verdict %d", verdict)
	}
	if got := settled(j); !slices.Equal(got, []uint64{3}) {
		t.Fatalf("the true one: accepted %v", got)
	}

	f("no proof", func(m *Message) { m.Proof = "" })
	f("no data", func(m *Message) { m.Data = nil })
	f("nothing", func(m *Message) { *m = Message{} })
	f("a byte of the data", func(m *Message) { m.Data = slices.Concat(m.Data[:len(m.Data)-2], []byte(" "), m.Data[len(m.Data)-2:]) })
	f("another sequence", func(m *Message) { m.Revision++ })
	f("another subject", func(m *Message) { m.Subject = Subject(document.ID{Kind: document.KindFlag, Key: "other"}) })
	f("no subject", func(m *Message) { m.Subject = "" })
	f("a padded subject", func(m *Message) { m.Subject += "=" })
	f("another epoch in the header", func(m *Message) { m.Proof = string(epochB) + m.Proof[32:] })
	f("another state in the header", func(m *Message) { m.Proof = m.Proof[:33] + Sum([]byte("other")).String() + m.Proof[97:] })
	f("no state in the header", func(m *Message) { m.Proof = m.Proof[:33] + "-" + m.Proof[97:] })
	f("another signature", func(m *Message) { m.Proof = m.Proof[:98] + string(a.signing[0].sign("other")) })

	signed("an unknown key", Candidate, a.unknown, nothing, nil)
	signed("a key that is in no note yet", Candidate, a.signing[1], nothing, nil)
	signed("the root key", Candidate, a.root, nothing, nil)
	signed("another installation", Candidate, keysB().signing[0], nothing, nil)
	signed("another environment", Noise, a.signing[0], func(e *Entry) { e.Environment = "staging" }, nil)
	signed("another revision", Noise, a.signing[0], func(e *Entry) { e.Revision++ }, func(m *Message) { m.Revision-- })
	signed("another subject, signed", Noise, a.signing[0], nothing, func(m *Message) { m.Subject = Subject(document.ID{Kind: document.KindSegment, Key: "k"}) })
	signed("a key of another environment's text", Noise, a.signing[0], nothing, func(m *Message) {
		r, _ := DecodeRecord(m.Revision, m.Data)
		h, _ := a.signing[0].signer(t).SignHead("staging", r.Head())
		m.Proof, m.Subject = h.ProofText(), "x"
	})

	// Signed, and not what continues the log: that is for a follower to look into.
	signed("what comes after something missing", Ahead, a.signing[0],
		func(e *Entry) { e.Revision, e.Prev = 9, Link{Revision: 7, Digest: Sum([]byte("missing"))} }, nil)
	signed("after another entry", Different, a.signing[0], func(e *Entry) { e.Prev.Digest[0]++ }, nil)
	signed("after an earlier entry", Different, a.signing[0], func(e *Entry) { e.Prev.Revision-- }, nil)
	signed("another epoch without a renewal", Different, a.signing[0], func(e *Entry) { e.Epoch = epochB }, nil)
	signed("another entry where one is known", Different, a.signing[0],
		func(e *Entry) { e.Revision, e.Prev = 2, Link{Revision: 1, Digest: Sum(nil)} }, nil)
	signed("the same, unsigned", Noise, a.unknown,
		func(e *Entry) { e.Revision, e.Prev = 2, Link{Revision: 1, Digest: Sum(nil)} }, nil)
	epoch := func(e *Entry) { e.Kind, e.Key, e.Put = document.KindEpoch, document.EpochKey, nil }
	signed("the begin of another log", Different, a.signing[0], func(e *Entry) { epoch(e); e.Epoch, e.Prev = epochB, Link{} }, nil)
	signed("an epoch entry that renews nothing", Different, a.signing[0], func(e *Entry) { epoch(e); e.Epoch = epochB }, nil)
	signed("one of the same epoch", Different, a.signing[0], func(e *Entry) { epoch(e) }, nil)
	signed("a flag that follows nothing", Different, a.signing[0], func(e *Entry) { e.Prev = Link{} }, nil)
	signed("a renewal", EpochReplaced, a.signing[0], func(e *Entry) { epoch(e); e.Epoch, e.Complete = epochB, 1 }, nil)
	signed("a renewal of a recreated stream", EpochReplaced, a.signing[0],
		func(e *Entry) { epoch(e); e.Epoch, e.Complete, e.Revision, e.Prev = epochB, 1, 1, Link{} }, nil)
	signed("a renewal of the same epoch", Different, a.signing[0], func(e *Entry) { epoch(e); e.Complete = 1 }, nil)
	signed("a renewal of an earlier epoch", Different, a.signing[0],
		func(e *Entry) { epoch(e); e.Epoch, e.Complete = "ffffffff000000000001ffffffffffff", 1 }, nil)
	signed("a renewal of the same time", Different, a.signing[0],
		func(e *Entry) { epoch(e); e.Epoch, e.Complete = "ffffffff"+epochA[8:20]+"ffffffffffff", 1 }, nil)
	signed("an unsigned renewal", Noise, a.unknown, func(e *Entry) { epoch(e); e.Epoch, e.Complete = epochB, 1 }, nil)
}

// An entry of a newer publisher stops a reader if it is signed for its place;
// anything else that cannot be decoded is noise.
func TestJudgeUnreadable(t *testing.T) {
	a := keysA()
	l := newLog(t)
	data := []byte(`{"v":3,"new":{"member":1}}`)
	state := Sum(nil)
	proof := func(key testKey, environment string, revision uint64, data []byte) string {
		h := Head{Position: Position{Epoch: l.head.Epoch, Revision: revision, Digest: Sum(data)}, State: state}
		h.Signature = key.sign(string(entryText(installationA, environment, h.Position, h.State)))
		return h.ProofText()
	}
	f := func(name string, want Verdict, m Message) {
		t.Helper()
		j := judgeAt(t, l)
		if verdict, r := j.Offer(m); verdict != want || r.Digest != (Digest{}) {
			t.Errorf("%s: verdict %d, want %d", name, verdict, want)
		}
	}
	f("a newer version", Unreadable, Message{Revision: 2, Subject: "any", Proof: proof(a.signing[0], prod, 2, data), Data: data})
	invalid := []byte(`{"v":2}`)
	f("an invalid one", Unreadable, Message{Revision: 2, Subject: "any", Proof: proof(a.signing[0], prod, 2, invalid), Data: invalid})
	f("no proof", Noise, Message{Revision: 2, Data: data})
	f("an unknown key", Noise, Message{Revision: 2, Proof: proof(a.unknown, prod, 2, data), Data: data})
	f("other data", Noise, Message{Revision: 2, Proof: proof(a.signing[0], prod, 2, data), Data: invalid})
	f("another revision", Noise, Message{Revision: 3, Proof: proof(a.signing[0], prod, 2, data), Data: data})
	f("another environment", Noise, Message{Revision: 2, Proof: proof(a.signing[0], "staging", 2, data), Data: data})
	f("another epoch", Noise, Message{Revision: 2, Proof: string(epochB) + proof(a.signing[0], prod, 2, data)[32:], Data: data})
}

// One signature proves a run, and forged ones cost no more than the limit.
func TestJudgeVerifiesLittle(t *testing.T) {
	l := newLog(t)
	j := judgeAt(t, l)
	for i := range 1000 {
		l.put(t, "op", i+1, 1000)
		if verdict, _ := j.Offer(l.messages[len(l.messages)-1]); verdict != Candidate {
			t.Fatalf("entry %d: verdict %d", i+1, verdict)
		}
	}
	before := len(j.keys.verdicts)
	if got := j.Settle(1); len(got) != 1000 || j.Failures() != 0 {
		t.Errorf("%d entries were accepted, %d signatures did not fit", len(got), j.Failures())
	}
	if got := len(j.keys.verdicts) - before; got != 1 {
		t.Errorf("%d signatures were verified, want 1", got)
	}

	l.next = 2000
	_, forged := l.prepare(t, Entry{OpID: "forged", Kind: document.KindFlag, Key: "k", Index: 1, Count: 1, Put: []byte("{}")})
	l.next = 0
	l.put(t, "true", 1, 1)
	offer := func() {
		j.Offer(l.messages[len(l.messages)-1])
		for i := range 10 { // each is another one, that the true key did not sign
			m := forged
			m.Proof = m.Proof[:98] + string(keysA().signing[0].sign(string(rune('a'+i))))
			e, err := DecodeEntry(m.Data)
			if err != nil {
				t.Fatal(err)
			}
			e.Reason = string(rune('a' + i))
			if m.Data, err = e.Encode(); err != nil {
				t.Fatal(err)
			}
			if verdict, _ := j.Offer(m); verdict != Candidate {
				t.Fatalf("forged %d: verdict %d", i, verdict)
			}
		}
	}
	offer()
	if got := j.Settle(10); len(got) != 0 || j.Failures() != 10 {
		t.Errorf("with a limit of 10: %d were accepted after %d failures", len(got), j.Failures())
	}
	offer()
	if got := settled(j); !slices.Equal(got, []uint64{1002}) || j.Failures() != 20 {
		t.Errorf("without a limit: accepted %v after %d failures in all", got, j.Failures())
	}
	if got := j.Settle(-1); got != nil {
		t.Errorf("settled again: %d", len(got))
	}
}

// A publisher's NATS user can store any amount of noise, so it must cost next to nothing.
func TestJudgeAllocatesLittleForNoise(t *testing.T) {
	l := newLog(t)
	j := judgeAt(t, l)
	_, m := l.prepare(t, Entry{OpID: "op", Kind: document.KindFlag, Key: "k", Index: 1, Count: 1, Put: []byte("{}")})
	m.Proof = ""
	if got := testing.AllocsPerRun(100, func() { j.Offer(m) }); got > 5 { // decoding would make more; the race detector makes some
		t.Errorf("%v allocations for a message without a proof, at most 5 are allowed", got)
	}
}

// A cold reader knows nothing but the root: the log itself brings the keys note.
func TestJudgeBeginsCold(t *testing.T) {
	a := keysA()
	l := newLog(t)
	doc, err := KeysDocument(a.note(t, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	l.append(t, Entry{OpID: "keys", Kind: document.KindKeys, Key: document.KeysKey, Index: 1, Count: 1, Put: doc.Body})
	l.put(t, "op", 1, 1)
	j := NewJudge(a.cold(t), prod, Position{})
	for i, m := range l.messages {
		if verdict, _ := j.Offer(m); verdict != Candidate {
			t.Errorf("entry %d: verdict %d", i+1, verdict)
		}
	}
	if got := settled(j); !slices.Equal(got, []uint64{1, 2, 3}) || j.Head() != l.head {
		t.Errorf("accepted %v", got)
	}
	for i, m := range l.messages {
		if verdict, r := j.Offer(m); verdict != Past || r.Revision != uint64(i)+1 {
			t.Errorf("entry %d once more: verdict %d", i+1, verdict)
		}
	}
	if got := j.Settle(-1); got != nil || j.Failures() != 0 {
		t.Errorf("accepted %d once more, %d failures", len(got), j.Failures())
	}
}

// A log begins with an epoch entry that a key of the installation signed.
func TestJudgeBeginsWithAnEpoch(t *testing.T) {
	l := newLog(t)
	flag := Entry{Environment: prod, Epoch: epochA, Revision: 5, OpID: "op", Kind: document.KindFlag, Key: "k", Index: 1, Count: 1, Put: []byte("{}"), State: Sum(nil)}
	_, m := signEntry(t, l.signer, flag)
	for name, j := range map[string]*Judge{
		"judge": NewJudge(keysA().keyring(t), prod, Position{}), "replay": NewReplayJudge(keysA().keyring(t), prod, Position{}),
	} {
		if verdict, _ := j.Offer(m); verdict != Different {
			t.Errorf("%s: a flag at the begin: verdict %d", name, verdict)
		}
		if got := settled(j); got != nil {
			t.Errorf("%s: accepted %v", name, got)
		}
		j.Offer(l.messages[0])
		if got := settled(j); !slices.Equal(got, []uint64{1}) {
			t.Errorf("%s: an epoch entry at the begin: accepted %v", name, got)
		}
	}
}

// A reader that has slept through two rotations knows none of the keys that sign
// now, and all of them at the end.
func TestJudgeSleptThroughRotations(t *testing.T) {
	a := keysA()
	l := newLog(t)
	j := judgeAt(t, l)
	keys := func(version uint64, listed ...int) {
		doc, err := KeysDocument(a.note(t, version, listed...))
		if err != nil {
			t.Fatal(err)
		}
		l.append(t, Entry{OpID: "keys", Kind: document.KindKeys, Key: document.KeysKey, Index: 1, Count: 1, Put: doc.Body})
	}
	l.put(t, "a", 1, 1)
	keys(2, 0, 1)
	l.signer = a.signing[1].signer(t)
	keys(3, 1)
	keys(4, 1, 2)
	l.signer = a.signing[2].signer(t)
	keys(5, 2)
	l.put(t, "b", 1, 1)
	for _, m := range l.messages[1:] {
		j.Offer(m)
	}
	if got := settled(j); !slices.Equal(got, []uint64{2, 3, 4, 5, 6, 7}) {
		t.Errorf("accepted %v", got)
	}
	if j.keys.Note().Version != 5 || j.Failures() != 0 {
		t.Errorf("version %d counts, %d failures", j.keys.Note().Version, j.Failures())
	}
	l.signer = a.signing[1].signer(t)
	l.put(t, "c", 1, 1)
	j.Offer(l.messages[len(l.messages)-1])
	if got := settled(j); got != nil {
		t.Errorf("accepted %v of a retired key", got)
	}
}

// BenchmarkJudgeEntry judges one signed entry, as a follower does.
func BenchmarkJudgeEntry(b *testing.B) {
	l := newLog(b)
	ring := keysA().keyring(b)
	start := l.head
	l.put(b, "op", 1, 1)
	b.ReportAllocs()
	for b.Loop() {
		clear(ring.verdicts)
		j := NewJudge(ring, prod, start)
		if verdict, _ := j.Offer(l.messages[1]); verdict != Candidate {
			b.Fatal(verdict)
		}
		if got := j.Settle(-1); len(got) != 1 {
			b.Fatal(len(got))
		}
	}
}

// BenchmarkJudgeRun judges a transaction of 1,000 entries.
func BenchmarkJudgeRun(b *testing.B) {
	l := newLog(b)
	ring := keysA().keyring(b)
	start := l.head
	for i := range 1000 {
		l.put(b, "op", i+1, 1000)
	}
	b.ReportAllocs()
	for b.Loop() {
		clear(ring.verdicts)
		j := NewJudge(ring, prod, start)
		for _, m := range l.messages[1:] {
			j.Offer(m)
		}
		if got := j.Settle(-1); len(got) != 1000 {
			b.Fatal(len(got))
		}
	}
}

// BenchmarkJudgeNoise judges one message without a proof.
func BenchmarkJudgeNoise(b *testing.B) {
	l := newLog(b)
	j := judgeAt(b, l)
	_, m := l.prepare(b, Entry{OpID: "op", Kind: document.KindFlag, Key: "k", Index: 1, Count: 1, Put: []byte("{}")})
	m.Proof = ""
	b.ReportAllocs()
	for b.Loop() {
		if verdict, _ := j.Offer(m); verdict != Noise {
			b.Fatal(verdict)
		}
	}
}
