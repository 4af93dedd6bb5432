package changelog

import (
	"slices"
	"strconv"
	"testing"

	"github.com/flagside/flagside/document"
)

// A keys note can be known before the log shows it: from a snapshot, another
// environment, or noise. What a key that it drops has signed last then waits for an
// entry that proves it; until that has come, it is a doubt and is not accepted.
func TestJudgeKnowsTheNoteTooEarly(t *testing.T) {
	a := keysA()
	l := newLog(t)
	j := judgeAt(t, l)
	last := l.put(t, "of the old key", 1, 1)
	adopt(t, j.keys, a.note(t, 2, 1))
	j.Offer(l.messages[1])
	if got := settled(j); got != nil || j.Doubt() != last.Revision {
		t.Fatalf("accepted %v, doubt %d", got, j.Doubt())
	}
	l.signer = a.signing[1].signer(t)
	l.put(t, "of the new key", 1, 1)
	if verdict, _ := j.Offer(l.messages[2]); verdict != Ahead {
		t.Errorf("the entry after it alone: verdict %d, want Ahead", verdict)
	}
	for _, m := range l.messages[1:] {
		j.Offer(m)
	}
	if got := settled(j); !slices.Equal(got, []uint64{2, 3}) || j.Doubt() != 0 {
		t.Errorf("together with the next one: accepted %v, doubt %d", got, j.Doubt())
	}
}

// The same read in parts: nothing is lost between them.
func TestJudgeKeepsWhatMayBeProvedLater(t *testing.T) {
	a := keysA()
	l := newLog(t)
	j := judgeAt(t, l)
	adopt(t, j.keys, a.note(t, 2, 1))
	for i := range 50 {
		l.put(t, "op", 1, 1)
		j.Offer(l.messages[len(l.messages)-1])
		if i%5 == 0 {
			if got := j.SettleSoFar(); got != nil || !j.Pending() {
				t.Fatalf("%d were accepted, pending %v", len(got), j.Pending())
			}
		}
	}
	l.signer = a.signing[1].signer(t)
	proving := l.put(t, "proof", 1, 1)
	_, forged := l.prepare(t, Entry{OpID: "forged", Kind: document.KindFlag, Key: "k", Index: 1, Count: 1, Put: []byte("{}")})
	forged.Proof = forged.Proof[:98] + string(a.unknown.sign("x"))
	j.Offer(l.messages[len(l.messages)-1])
	j.Offer(forged)
	if got := j.SettleSoFar(); len(got) != 51 || j.Head() != proving.Position() || !j.Pending() {
		t.Errorf("%d were accepted, the head is %d, pending %v", len(got), j.Head().Revision, j.Pending())
	}
	if got := settled(j); got != nil || j.Pending() {
		t.Errorf("accepted %v", got)
	}
}

// Unknown and retired keys are told apart: only the latter make a doubt, and only
// until a publisher has looked.
func TestJudgeDoubt(t *testing.T) {
	a := keysA()
	l := newLog(t)
	j := judgeAt(t, l)
	adopt(t, j.keys, a.note(t, 2, 1))
	offer := func(key testKey) uint64 {
		l.signer = key.signer(t)
		l.next += 3
		_, m := l.prepare(t, Entry{OpID: "op", Kind: document.KindFlag, Key: "k", Index: 1, Count: 1, Put: []byte("{}")})
		j.Offer(m)
		if got := settled(j); got != nil {
			t.Errorf("accepted %v", got)
		}
		return m.Revision
	}
	offer(a.unknown)
	if got := j.Doubt(); got != 0 {
		t.Errorf("an unknown key makes the doubt %d", got)
	}
	at := offer(a.signing[0])
	if got := j.Doubt(); got != at {
		t.Errorf("a retired key makes the doubt %d, want %d", got, at)
	}
	j.Reassure(at - 1)
	if got := j.Doubt(); got != at {
		t.Errorf("doubt %d after the publisher has looked before it, want %d", got, at)
	}
	j.Reassure(at)
	if got := j.Doubt(); got != 0 {
		t.Errorf("doubt %d after the publisher has looked, want none", got)
	}
}

// An entry of a replaced log that was stored again is signed for its place. Once it
// is found out, it is noise, and so is what continues it; the log itself goes on.
func TestJudgeDismiss(t *testing.T) {
	l := newLog(t)
	j := judgeAt(t, l)
	old := &log{environment: prod, signer: l.signer, head: Position{Epoch: epochA, Revision: 5, Digest: Sum([]byte("replaced"))}}
	stored := old.put(t, "old", 1, 1)
	old.put(t, "old", 1, 1)
	if verdict, _ := j.Offer(old.messages[0]); verdict != Ahead {
		t.Fatalf("verdict %d, want Ahead", verdict)
	}
	j.Dismiss(stored)
	for _, m := range old.messages {
		if verdict, _ := j.Offer(m); verdict != Noise {
			t.Errorf("revision %d once more: verdict %d, want noise", m.Revision, verdict)
		}
	}
	forger := &log{environment: prod, signer: newTestKey(installationA, 99).signer(t)}
	for i := range maxMisplaced { // forged entries push out none that was found out
		forger.head = stored.Position()
		forger.put(t, "forged-"+strconv.Itoa(i), 1, 1)
	}
	for _, m := range forger.messages {
		j.Offer(m)
	}
	if verdict, _ := j.Offer(old.messages[0]); verdict != Noise {
		t.Errorf("after forged entries that continue it: verdict %d, want noise", verdict)
	}
	l.next = 9
	r := l.put(t, "true", 1, 1)
	j.Offer(l.messages[1])
	if got := settled(j); !slices.Equal(got, []uint64{9}) {
		t.Errorf("accepted %v, want 9", got)
	}
	later := &log{environment: prod, signer: l.signer, head: old.head}
	renewal := later.beginEpoch(t, epochB)
	if verdict, _ := j.Offer(later.messages[0]); verdict != EpochReplaced || renewal.Prev != old.head.Link() {
		t.Errorf("a renewal that leaves the old log: verdict %d", verdict)
	}
	if j.Head() != r.Position() {
		t.Errorf("the head is %v", j.Head())
	}
}

// A publisher's keyring keeps the keys that a proposed note drops until a log has
// shown it; its own key must be in the proposed one.
func TestPublisherKeyring(t *testing.T) {
	a := keysA()
	ring := NewPublisherKeyring(a.trust(t))
	adopt(t, ring, a.note(t, 1, 0))
	if err := ring.Propose(a.note(t, 2, 1).Text); err != nil {
		t.Fatal(err)
	}
	old, current := signedAt(t, a.signing[0], 1), signedAt(t, a.signing[1], 1)
	if ring.VerifyHead(prod, old) != nil || ring.VerifyHead(prod, current) != nil {
		t.Error("while the note is proposed, both keys count for reading")
	}
	if ring.Signs(a.signing[0].id) || !ring.Signs(a.signing[1].id) || ring.Note().Version != 2 || ring.Shown().Version != 1 {
		t.Errorf("version %d is shown, %d counts", ring.Shown().Version, ring.Note().Version)
	}
	adopt(t, ring, a.note(t, 2, 1))
	if ring.VerifyHead(prod, old) == nil || ring.VerifyHead(prod, current) != nil || ring.Shown().Version != 2 {
		t.Error("a key that was dropped counts after the log has shown it")
	}
	if err := ring.Propose(keysB().note(t, 3, 0).Text); err == nil || ring.Note().Version != 2 {
		t.Errorf("a note of another installation was proposed: %v", err)
	}
}
