package follow_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// longestNoise is how many messages in a row may be noise: those who look behind
// a missing one see as far.
const longestNoise = bridgeMost - 4

// noise is how attackers make messages that look like entries. Each has one
// function, which returns what would be stored at the end of the stream next.
var noise = map[string]func(w *world) stored{
	"random bytes":              (*world).randomBytes,
	"an unsigned entry":         (*world).unsignedEntry,
	"a guessed signature":       (*world).guessedSignature,
	"the signature of another":  (*world).copiedSignature,
	"a foreign signature":       (*world).foreignSignature,
	"a foreign renewal":         (*world).foreignRenewal,
	"foreign keys":              (*world).foreignKeys,
	"another environment":       (*world).otherEnvironment,
	"another environment's key": (*world).otherBody,
	"a retired key":             (*world).retiredKey,
	"a newer format":            (*world).newerFormat,
	"a part of a transaction":   (*world).strangeMember,
	"an entry stored again":     (*world).storedAgain,
	"an entry of another log":   (*world).otherLog,
}

// makeNoise stores some messages that no publisher signed for their place.
func (w *world) makeNoise() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range 1 + w.random.IntN(3) {
		if w.gone || w.noiseAtEnd() >= longestNoise {
			return
		}
		name, m := w.someNoise()
		if m.data == nil {
			continue
		}
		w.noises["stored: "+name]++
		w.store(m)
	}
}

// noiseAtEnd returns how many messages at the end are noise.
func (w *world) noiseAtEnd() int {
	n := 0
	for _, m := range slices.Backward(w.messages) {
		if m.record != nil {
			break
		}
		n++
	}
	return n
}

// someNoise returns noise of some kind, with headers that say what only the
// server may say.
func (w *world) someNoise() (string, stored) {
	names := make([]string, 0, len(noise))
	for name := range noise {
		names = append(names, name)
	}
	slices.Sort(names)
	name := names[w.random.IntN(len(names))]
	m := noise[name](w)
	if name == "an entry of another log" {
		m.other = m.record
	}
	m.record = nil
	hostile := []string{
		"", "", "\r\nNats-Sequence: 1", "\r\nStatus: 404", "\r\nStatus: 204", "\r\nNats-Subject: flags.prod.other",
		"\r\nNats-Time-Stamp: 2001-01-01T00:00:00Z", "\r\nNats-Stream: FLAGS_staging", "\r\nNats-Num-Pending: 0",
		"\r\nNats-Sequence: 2\r\nNats-Sequence: 3\r\nStatus: 408", "\r\nNats-Expected-Last-Sequence: 1", proofHeader("x"),
	}
	m.header = hostile[w.random.IntN(len(hostile))] + m.header
	return name, m
}

// next returns an entry that would continue the log, as an attacker makes it who
// has read everything.
func (w *world) nextEntry() changelog.Entry {
	newest := w.newest()
	e := changelog.Entry{
		Environment: environment, Epoch: newest.Epoch, Revision: uint64(len(w.messages) + 1), Prev: newest.Link(),
		OpID: fmt.Sprint("op-", len(w.messages)+1), Kind: document.KindFlag, Key: fmt.Sprint("flag-", w.random.IntN(8)),
		Index: 1, Count: 1, Put: []byte(`{"forged":true}`), Actor: "attacker", Time: time.Now(), State: changelog.Sum([]byte("forged")),
	}
	if e.Epoch == "" {
		e.Epoch = changelog.NewEpoch(time.Now(), w.newestID)
	}
	return e
}

// forge returns the message of an entry with a proof that signs its head.
func (w *world) forge(e changelog.Entry, sign func(changelog.Head) changelog.Head) stored {
	body, err := e.Encode()
	if err != nil {
		w.tb.Fatal(err)
	}
	head := changelog.Head{Position: changelog.Position{Epoch: e.Epoch, Revision: e.Revision, Digest: changelog.Sum(body)}, State: e.State}
	return stored{message: message{proofHeader(sign(head).ProofText()), body}, token: changelog.Subject(e.ID())}
}

// signedBy signs with the key of a signer, for an environment.
func (w *world) signedBy(s *changelog.Signer, of string) func(changelog.Head) changelog.Head {
	return func(h changelog.Head) changelog.Head {
		signed, err := s.SignHead(of, h)
		if err != nil {
			w.tb.Fatal(err)
		}
		return signed
	}
}

// guess returns a signature that names the key of the publishers.
func (w *world) guess(h changelog.Head) changelog.Head {
	raw := make([]byte, 68)
	_, _ = rand.Read(raw)
	binary.BigEndian.PutUint32(raw, w.keys.signer.ID())
	h.Signature = changelog.Signature(base64.StdEncoding.EncodeToString(raw))
	return h
}

func (w *world) randomBytes() stored {
	data := make([]byte, 1+w.random.IntN(200))
	_, _ = rand.Read(data)
	return stored{message: message{data: data}, token: fmt.Sprint("junk-", w.random.IntN(4))}
}

func (w *world) unsignedEntry() stored {
	m := w.forge(w.nextEntry(), w.guess)
	m.header = ""
	return m
}

func (w *world) guessedSignature() stored { return w.forge(w.nextEntry(), w.guess) }

func (w *world) copiedSignature() stored {
	m := w.forge(w.nextEntry(), w.guess)
	if len(w.past) > 0 {
		m.header = w.past[w.random.IntN(len(w.past))].header
	}
	return m
}

func (w *world) foreignSignature() stored {
	return w.forge(w.nextEntry(), w.signedBy(w.keys.strange.Signer(), environment))
}

func (w *world) foreignRenewal() stored {
	e := w.nextEntry()
	e.Kind, e.Key, e.Put = document.KindEpoch, document.EpochKey, nil
	e.Epoch, e.Complete = changelog.NewEpoch(time.Now().Add(time.Hour), w.newestID), uint64(1+w.random.IntN(3))
	if w.chance(50) {
		return w.forge(e, w.guess)
	}
	return w.forge(e, w.signedBy(w.keys.strange.Signer(), environment))
}

// foreignKeys is a newer keys note of this installation, signed by a root that
// has its name.
func (w *world) foreignKeys() stored {
	e := w.nextEntry()
	d, err := changelog.KeysDocument(w.keys.usurper.Note)
	if err != nil {
		w.tb.Fatal(err)
	}
	e.Kind, e.Key, e.Put = d.Kind, d.Key, d.Body
	return w.forge(e, w.signedBy(w.keys.usurper.Signer(), environment))
}

func (w *world) otherEnvironment() stored {
	e := w.nextEntry()
	e.Environment = "staging"
	return w.forge(e, w.signedBy(w.keys.signer, "staging"))
}

func (w *world) otherBody() stored {
	return w.forge(w.nextEntry(), w.signedBy(w.keys.signer, "staging"))
}

func (w *world) retiredKey() stored {
	if len(w.keys.retired) == 0 {
		return stored{}
	}
	return w.forge(w.nextEntry(), w.signedBy(w.keys.retired[w.random.IntN(len(w.keys.retired))], environment))
}

func (w *world) newerFormat() stored {
	m := w.forge(w.nextEntry(), w.guess)
	m.data = append([]byte(`{"v":3,`), m.data[len(`{"v":2,`):]...)
	return m
}

func (w *world) strangeMember() stored {
	e := w.nextEntry()
	e.Count, e.State = 2, changelog.Digest{}
	return w.forge(e, w.signedBy(w.keys.strange.Signer(), environment))
}

func (w *world) storedAgain() stored {
	if len(w.past) == 0 {
		return stored{}
	}
	m := w.past[w.random.IntN(len(w.past))]
	if m.sequence == uint64(len(w.messages)+1) {
		return stored{} // it may be in its place
	}
	return m
}

// otherLog is a true entry that stood in this place in another log.
func (w *world) otherLog() stored {
	newest, sequence := w.newest(), uint64(len(w.messages)+1)
	for _, m := range w.past {
		if m.sequence == sequence && m.record.Prev != newest.Link() && !m.record.Epoch.Later(newest.Epoch) {
			return m
		}
	}
	return stored{}
}

// makeFeedNoise sends what looks like an entry to everybody who listens to the
// feed, as any user in the account of the environment can.
func (w *world) makeFeedNoise() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range 1 + w.random.IntN(3) {
		name, m := w.someNoise()
		if len(w.past) > 0 && w.chance(50) {
			name, m = w.changedEntry()
		}
		if m.data == nil {
			continue
		}
		if m.sequence == 0 {
			m.sequence = uint64(len(w.messages) + 1)
		}
		w.noises["fed: "+name]++
		w.feed(m)
	}
}

// changedEntry returns a true entry as it was, or with something changed.
func (w *world) changedEntry() (string, stored) {
	m := w.past[w.random.IntN(len(w.past))]
	if w.random.IntN(3) == 0 {
		if w.wouldMislead(m) {
			return "", stored{}
		}
		return "again", m
	}
	m.data, m.taken = slices.Clone(m.data), time.Now()
	switch w.random.IntN(4) {
	case 0:
		m.data[w.random.IntN(len(m.data))] ^= 1
	case 1:
		m.header = m.header[:len(m.header)-1-w.random.IntN(8)]
	case 2:
		m.sequence += 1 + uint64(w.random.IntN(100))
	default:
		m.token = changelog.Subject(epochID) + "x"
	}
	return "changed", m
}

// wouldMislead reports whether a true entry of another log continues this one:
// followers cannot know that it was not committed here.
func (w *world) wouldMislead(m stored) bool {
	here := func(revision uint64) *changelog.Record {
		if revision == 0 || revision > uint64(len(w.messages)) {
			return nil
		}
		return w.messages[revision-1].record
	}
	if r := here(m.sequence); r != nil && r.Digest == m.record.Digest {
		return false
	}
	before := here(m.record.Prev.Revision)
	return m.record.Prev.Revision == 0 || before != nil && before.Position().Link() == m.record.Prev
}

// makeBeatNoise sends heartbeats that no publisher sends now.
func (w *world) makeBeatNoise() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.newest().IsZero() {
		return
	}
	h := changelog.Heartbeat{
		Position: w.newest(), Begin: 1, First: 1, End: uint64(len(w.messages) + w.random.IntN(100)),
		By: "model", N: uint64(w.beats + 1 + w.random.IntN(10)), Time: time.Now().Add(time.Hour),
	}
	forged := func(s *changelog.Signer, of string) message {
		data, signature, err := changelog.EncodeHeartbeat(s, of, h)
		if err != nil {
			w.tb.Fatal(err)
		}
		return message{proofHeader(string(signature)), data}
	}
	var m message
	switch w.random.IntN(4) {
	case 0:
		m = message{data: forged(w.keys.signer, environment).data}
	case 1:
		m = forged(w.keys.strange.Signer(), environment)
	case 2:
		m = forged(w.keys.signer, "staging")
	default:
		if !w.repeatable() {
			return
		}
		m = w.sent[w.random.IntN(len(w.sent))].message
	}
	w.noises["heartbeats"]++
	w.tell(m)
}

// repeatable reports whether old heartbeats may be repeated without hiding that
// the true ones do not come: a server that keeps them back decides how old what is
// known looks.
func (w *world) repeatable() bool {
	f := w.faults
	return f.loseBeat == 0 && f.oldBeat == 0 && len(w.sent) > 0 && time.Since(w.sent[len(w.sent)-1].at) < 1100*time.Millisecond
}

// forgeSnapshots puts something else in the place of what is published.
func (w *world) forgeSnapshots() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noises["manifests"]++
	switch w.random.IntN(4) {
	case 0:
		w.forged = &message{data: w.signManifest(w.keys.signer, environment, w.snapshots).data}
	case 1:
		w.forged = new(w.signManifest(w.keys.strange.Signer(), environment, w.snapshots))
	case 2:
		w.forged = new(w.signManifest(w.keys.signer, "staging", w.snapshots))
	default:
		w.forged = &message{header: "\r\nStatus: 503", data: nil}
	}
}

// newUsurper returns the keys of an attacker who gives them the names of those of
// an installation.
func newUsurper(installation string) trusttest.Keys {
	root, _, err := changelog.GenerateKey(installation)
	if err != nil {
		panic(err)
	}
	signing, public, err := changelog.GenerateKey(installation)
	if err != nil {
		panic(err)
	}
	n, err := changelog.NewKeysNote(installation, 99, root, public)
	if err != nil {
		panic(err)
	}
	return trusttest.Keys{Installation: installation, Root: root, Signing: signing, Note: n}
}
