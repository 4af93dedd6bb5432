package changelog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
)

// naiveReader reads a log message by message, each verified by itself, with the
// definition of an entry and nothing else of the code that is tested but the
// decoder. It knows the root key and what it has read.
type naiveReader struct {
	keys     testKeys
	version  int
	listed   map[uint32]ed25519.PublicKey
	head     Link
	epoch    Epoch
	accepted []Link
	stopped  bool // at a signed entry that cannot be read
}

func (n *naiveReader) read(m Message) {
	header := strings.Split(m.Proof, " ")
	if n.stopped || len(header) != 3 {
		return
	}
	digest := sha256.Sum256(m.Data)
	e, err := DecodeEntry(m.Data)
	placed := err == nil && e.Environment == prod && e.Revision == m.Revision && string(e.Epoch) == header[0] &&
		naiveStateText(e.State) == header[1] &&
		m.Subject == base64.RawURLEncoding.EncodeToString([]byte(string(e.Kind)+"/"+e.Key))
	if placed && e.Kind == document.KindKeys {
		n.adopt(e.Put)
	}
	text := fmt.Sprintf("flagside entry 2\n%s\nprod\n%s\n%d\n%x\n%s\n", n.keys.installation, header[0], m.Revision, digest, header[1])
	switch {
	case !n.verify(text, header[2]):
	case err != nil:
		n.stopped = true
	case !placed:
	case e.Complete > 0 && e.Epoch[8:20] > epochTimeOf(n.epoch),
		e.Kind == document.KindEpoch && e.Complete == 0 && n.head == Link{} && e.Prev == Link{},
		e.Kind != document.KindEpoch && e.Prev == n.head && e.Epoch == n.epoch:
		n.head, n.epoch = Link{Revision: m.Revision, Digest: digest}, e.Epoch
		n.accepted = append(n.accepted, n.head)
	}
}

func naiveStateText(state Digest) string {
	if state == (Digest{}) {
		return "-"
	}
	return hex.EncodeToString(state[:])
}

func epochTimeOf(e Epoch) Epoch {
	if e == "" {
		return ""
	}
	return e[8:20]
}

func (n *naiveReader) verify(text, proof string) bool {
	raw, err := base64.StdEncoding.DecodeString(proof)
	if err != nil || len(raw) != 68 {
		return false
	}
	key, ok := n.listed[binary.BigEndian.Uint32(raw)]
	return ok && ed25519.Verify(key, []byte(text), raw[4:])
}

func (n *naiveReader) adopt(body []byte) {
	var text string
	if json.Unmarshal(body, &text) != nil {
		return
	}
	signed, proof, ok := strings.Cut(text, "\n\n— flagside/"+n.keys.installation+" ")
	if !ok || proof != string(n.keys.root.sign(signed+"\n"))+"\n" { // Ed25519 gives one signature
		return
	}
	lines := strings.Split(signed, "\n")
	version, err := strconv.Atoi(strings.TrimPrefix(lines[2], "version "))
	if err != nil || version <= n.version {
		return
	}
	n.version, n.listed = version, make(map[uint32]ed25519.PublicKey)
	for _, line := range lines[4:] {
		parts := strings.SplitN(line, "+", 3)
		id, err1 := strconv.ParseUint(parts[1], 16, 32)
		public, err2 := base64.StdEncoding.DecodeString(parts[2])
		if err1 == nil && err2 == nil {
			n.listed[uint32(id)] = public[1:]
		}
	}
}

// world is a log with a publisher who signs truly, and someone with a publisher's
// NATS credential who stores whatever a stream takes: true entries of other logs,
// what retired keys sign, and notes that were not written here yet.
type world struct {
	tb       testing.TB
	random   *rand.Rand
	keys     testKeys
	l        *log
	staging  *log
	other    *log // of another installation
	messages []Message
	genuine  []Link
	version  uint64
	listed   []int // keys of the newest note
	signing  int   // the key that signs now; those before it are retired or about to be
	plain    bool  // the next true entry is an ordinary one
	ended    bool
}

func newWorld(tb testing.TB, seed uint64) *world {
	tb.Helper()
	w := &world{tb: tb, random: rand.New(rand.NewPCG(seed, 5)), keys: keysA(), l: emptyLog(tb), staging: newLog(tb), other: newLog(tb)}
	w.staging.environment = "staging"
	w.other.signer = keysB().signing[0].signer(tb)
	for range w.random.IntN(4) { // noise may stand before the first entry
		w.noise()
	}
	w.write(Entry{OpID: "create", Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 1})
	w.writeNote(w.signing)
	for range 70 {
		w.act()
	}
	w.put(1)
	if w.random.IntN(3) == 0 {
		w.newerVersion()
	}
	return w
}

// write appends a true entry at the end of the stream.
func (w *world) write(e Entry) {
	w.tb.Helper()
	w.l.next = uint64(len(w.messages)) + 1
	r := w.l.append(w.tb, e)
	w.messages = append(w.messages, w.l.messages[len(w.l.messages)-1])
	w.genuine = append(w.genuine, r.Position().Link())
	w.plain = false
}

func (w *world) act() {
	switch n := w.random.IntN(20); {
	case n < 11:
		w.noise()
	case n < 17 || w.plain:
		w.put(1 + w.random.IntN(4))
	case n < 19:
		w.rotate()
	default:
		w.renew()
	}
}

// renew renews the state with a later epoch, also when the clock went back.
func (w *world) renew() {
	leaves := w.l.head
	w.l.head.Epoch = NewEpoch(time.UnixMilli(w.random.Int64N(1<<47)), leaves.Epoch)
	w.write(Entry{OpID: "renew", Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 1, Complete: 1, Leaves: leaves})
	w.writeNote(w.listed...)
}

// put writes a transaction; noise may stand between its entries.
func (w *world) put(count int) {
	op := "op-" + strconv.Itoa(len(w.messages))
	for i := range count {
		w.write(w.flag(op, i+1, count))
		if w.random.IntN(6) == 0 && i+1 < count {
			w.noise()
		}
	}
}

func (w *world) flag(op string, index, count int) Entry {
	return Entry{
		OpID: op, Kind: document.KindFlag, Key: "k" + strconv.Itoa(w.random.IntN(5)), Index: index, Count: count,
		Put: fmt.Appendf(nil, `{"n":%d}`, w.random.IntN(1000)),
	}
}

func (w *world) noteBody(version uint64, listed ...int) []byte {
	d, err := KeysDocument(w.keys.note(w.tb, version, listed...))
	if err != nil {
		w.tb.Fatal(err)
	}
	return d.Body
}

// writeNote writes a keys note of the next version into the log.
func (w *world) writeNote(listed ...int) {
	w.version, w.listed = w.version+1, listed
	w.write(Entry{OpID: "keys", Kind: document.KindKeys, Key: document.KeysKey, Index: 1, Count: 1, Put: w.noteBody(w.version, listed...)})
}

// rotate lists a second key, switches to it, and drops the first.
func (w *world) rotate() {
	next := w.signing + 1
	if next == len(w.keys.signing) {
		return
	}
	w.writeNote(w.signing, next)
	for range w.random.IntN(4) {
		w.actInRotation()
	}
	w.sign(next)
	for range w.random.IntN(4) {
		w.actInRotation()
	}
	w.writeNote(w.listed[len(w.listed)-1])
}

// actInRotation is what happens during a rotation.
func (w *world) actInRotation() {
	if w.random.IntN(2) == 0 {
		w.junk()
		return
	}
	w.put(1)
}

func (w *world) sign(key int) {
	w.signing = key
	w.l.signer = w.keys.signing[key].signer(w.tb)
}

// newerVersion ends the log with an entry that cannot be read here.
func (w *world) newerVersion() {
	data := []byte(`{"v":3,"new":[1,2]}`)
	h := Head{Position: Position{Epoch: w.l.head.Epoch, Revision: uint64(len(w.messages)) + 1, Digest: Sum(data)}}
	h, err := w.l.signer.SignHead(prod, h)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.messages = append(w.messages, Message{Revision: h.Revision, Subject: "c3ViamVjdA", Proof: h.ProofText(), Data: data})
	w.ended = true
	w.junk()
	w.l.head.Revision, w.l.head.Digest = h.Revision, h.Digest
	for range 3 {
		w.l.next = uint64(len(w.messages)) + 1
		w.l.append(w.tb, w.flag("after", 1, 1))
		w.messages = append(w.messages, w.l.messages[len(w.l.messages)-1])
	}
}

// noise stores something that is no entry of this log.
func (w *world) noise() {
	if w.random.IntN(10) > 0 || w.version == 0 {
		w.junk()
		return
	}
	// A note that the root has signed and that was not written here yet. The
	// publisher sees it as well, and signs with a key that it lists.
	w.version++
	body := w.noteBody(w.version, w.signing)
	if next := w.signing + 1; next < len(w.keys.signing) && w.random.IntN(2) == 0 {
		body = w.noteBody(w.version, next)
		w.listed = []int{next}
		w.sign(next)
		w.plain = true
	} else {
		w.listed = []int{w.signing}
	}
	e := w.next(Entry{OpID: "early", Kind: document.KindKeys, Key: document.KeysKey, Index: 1, Count: 1, Put: body})
	w.store(w.by(w.keys.unknown, e))
}

// next returns e as what would come next, for a forger.
func (w *world) next(e Entry) Entry {
	e.Environment, e.Epoch, e.Prev, e.Revision = prod, w.l.head.Epoch, w.l.head.Link(), uint64(len(w.messages))+1
	if e.Index == e.Count {
		e.State = Sum([]byte(e.OpID))
	}
	return e
}

func (w *world) by(key testKey, e Entry) Message {
	_, m := signEntry(w.tb, key.signer(w.tb), e)
	return m
}

func (w *world) store(m Message) {
	m.Revision = uint64(len(w.messages)) + 1
	w.messages = append(w.messages, m)
}

// junk stores noise that carries no new keys note.
func (w *world) junk() {
	w.tb.Helper()
	forged := w.next(w.flag("forged", 1, 1))
	at := uint64(len(w.messages)) + 1
	known := w.keys.signing[w.signing]
	var past Message // a true entry of this log, if there is one
	if len(w.l.messages) > 0 {
		past = w.l.messages[w.random.IntN(len(w.l.messages))]
	}
	kinds := []func(){
		func() { w.store(Message{Subject: "x", Data: []byte("junk")}) },
		func() { w.store(Message{}) },
		func() {
			w.store(Message{Subject: "x", Data: []byte("{}"), Proof: string(epochA) + " - " + string(known.sign("junk"))})
		},
		func() { m := w.by(known, forged); m.Proof = ""; w.store(m) },
		func() { m := w.by(known, forged); m.Proof = m.Proof[len(m.Proof)-92:]; w.store(m) },
		func() { w.store(w.by(w.keys.unknown, forged)) },
		func() { w.store(w.by(w.keys.root, forged)) },
		func() { w.store(w.by(keysB().signing[0], forged)) },
		func() { // a retired key
			if i := w.random.IntN(w.signing + 1); !slices.Contains(w.listed, i) && w.version > 0 {
				w.store(w.by(w.keys.signing[i], forged))
			}
		},
		func() { // a fork of several
			e := forged
			for range 1 + w.random.IntN(3) {
				m := w.by(w.keys.unknown, e)
				w.store(m)
				e = w.next(w.flag("forged", 1, 1))
				e.Prev = Link{Revision: m.Revision, Digest: Sum(m.Data)}
			}
		},
		func() { w.store(past) },
		func() { w.store(w.altered(past)) },
		func() { // the header of a true entry on a forged one
			m := w.by(w.keys.unknown, forged)
			m.Proof = past.Proof
			w.store(m)
		},
		func() { // another environment, at just this place
			e := forged
			e.Environment = "staging"
			w.store(w.by(known, e))
		},
		func() { // a true entry of another environment
			w.staging.next = max(at, w.staging.head.Revision+1)
			w.staging.signer = w.l.signer
			w.staging.append(w.tb, w.flag("staging", 1, 1))
			w.store(w.staging.messages[len(w.staging.messages)-1])
		},
		func() { // a true entry of another installation
			w.other.next = max(at, w.other.head.Revision+1)
			w.other.append(w.tb, w.flag("other", 1, 1))
			w.store(w.other.messages[len(w.other.messages)-1])
		},
		func() {
			m := w.by(w.keys.unknown, forged)
			m.Subject = Subject(document.ID{Kind: document.KindFlag, Key: "other"})
			w.store(m)
		},
		func() { // the right signature for an earlier place
			e := forged
			e.Revision++
			m := w.by(known, e)
			w.store(m)
		},
		func() { // renewals of later and earlier epochs, unsigned
			e := w.next(Entry{OpID: "renew", Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 1, Complete: 1, Leaves: w.l.head})
			e.Epoch = []Epoch{"ffffffffffffffffffffffffffffffff", "ffffffff000000000001ffffffffffff", e.Epoch}[w.random.IntN(3)]
			w.store(w.by(w.keys.unknown, e))
		},
		func() { // the begin of a log
			e := w.next(Entry{OpID: "create", Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 1})
			e.Prev = Link{}
			w.store(w.by(w.keys.unknown, e))
		},
		func() { // a newer version, unsigned
			data := []byte(`{"v":3}`)
			h := Head{Position: Position{Epoch: forged.Epoch, Revision: at, Digest: Sum(data)}}
			h.Signature = w.keys.unknown.sign(string(entryText(installationA, prod, h.Position, h.State)))
			w.store(Message{Subject: "x", Proof: h.ProofText(), Data: data})
		},
		func() { // keys notes that are old, of another installation, and forged
			e := w.next(Entry{OpID: "keys", Kind: document.KindKeys, Key: document.KeysKey, Index: 1, Count: 1})
			note, err := KeysDocument(keysB().note(w.tb, 100, 0))
			if err != nil {
				w.tb.Fatal(err)
			}
			forgedNote := strings.Replace(goldenNote, "version 1", "version 99", 1)
			e.Put = [][]byte{w.noteBody(1, 2), note.Body, []byte(`"` + strings.ReplaceAll(forgedNote, "\n", `\n`) + `"`), []byte("null")}[w.random.IntN(4)]
			if w.version == 0 {
				return // version 1 would be new
			}
			w.store(w.by(w.keys.unknown, e))
		},
		func() { // the middle of a transaction
			e := forged
			e.Index, e.Count, e.State = 1, 2, Digest{}
			w.store(w.by(w.keys.unknown, e))
		},
	}
	kinds[w.random.IntN(len(kinds))]()
}

// altered returns a true entry with something else in its header.
func (w *world) altered(m Message) Message {
	if len(m.Proof) < 98 {
		return m
	}
	switch w.random.IntN(5) {
	case 0:
		m.Proof = string(epochB) + m.Proof[32:]
	case 1:
		m.Proof = m.Proof[:33] + "-" + m.Proof[len(m.Proof)-93:]
	case 2:
		m.Proof = m.Proof[:33] + Sum(nil).String() + m.Proof[len(m.Proof)-93:]
	case 3:
		m.Proof = m.Proof[:len(m.Proof)-92] + string(w.keys.signing[w.signing].sign("x"))
	default:
		m.Proof = m.Proof[:w.random.IntN(len(m.Proof))]
	}
	return m
}

// judgedReader reads as a follower does: some messages at a time, of which it
// proves the newest.
type judgedReader struct {
	tb       testing.TB
	judge    *Judge
	ring     *Keyring
	accepted []Link
	stopped  bool
}

func (j *judgedReader) take(records []Record) {
	for _, r := range records {
		j.accepted = append(j.accepted, r.Position().Link())
	}
}

// read reads all messages, with random cuts between. An entry whose predecessor was
// not proved is proved by reading on from the head once more, without a cut.
func (j *judgedReader) read(messages []Message, random *rand.Rand, soFar bool) {
	j.tb.Helper()
	uncut := -1
	for i := 0; i < len(messages) && !j.stopped; i++ {
		verdict, r := j.judge.Offer(messages[i])
		switch verdict {
		case EpochReplaced:
			j.take(j.judge.Settle(-1))
			j.judge = NewJudge(j.ring, prod, r.Position())
			j.take([]Record{r})
		case Unreadable:
			j.take(j.judge.Settle(-1))
			j.stopped = true
		case Ahead:
			if i == uncut {
				j.tb.Fatalf("revision %d continues %d, which is not there", r.Revision, r.Prev.Revision)
			}
			j.take(j.judge.Settle(-1))
			uncut = i
			i = int(j.judge.Head().Revision) - 1 // goes on with the message after the head
			continue
		case Different:
			j.tb.Fatalf("revision %d is of another log", r.Revision)
		case Noise, Candidate, Past:
		}
		switch {
		case i < uncut || random.IntN(4) > 0:
		case soFar:
			j.take(j.judge.SettleSoFar())
		default:
			j.take(j.judge.Settle(-1))
		}
	}
	j.take(j.judge.Settle(-1))
}

// seeds returns how many logs are tried.
func seeds(n uint64) uint64 {
	if testing.Short() {
		return n / 8
	}
	return n
}

// Reading in any parts accepts what one by one is accepted, and that is what the
// publisher has signed at its place, whatever stands between.
func TestJudgeAgainstModel(t *testing.T) {
	for seed := range seeds(80) {
		w := newWorld(t, seed)
		naive := &naiveReader{keys: w.keys}
		naive.adopt(w.noteBody(1, 0)) // one by one, the first entry comes before the note that proves it
		for _, m := range w.messages {
			naive.read(m)
		}
		if !slices.Equal(naive.accepted, w.genuine) || naive.stopped != w.ended {
			t.Fatalf("seed %d: the model accepts %v of %v", seed, revisions(naive.accepted), revisions(w.genuine))
		}
		for cut := range uint64(6) {
			random := rand.New(rand.NewPCG(seed, cut))
			ring := w.keys.cold(t)
			if cut > 3 {
				adopt(t, ring, w.keys.note(t, 1, 0))
			}
			j := &judgedReader{tb: t, ring: ring, judge: NewJudge(ring, prod, Position{})}
			j.read(w.messages, random, cut%2 == 1)
			if !slices.Equal(j.accepted, naive.accepted) || j.stopped != naive.stopped {
				t.Fatalf("seed %d, cuts %d: accepted %v, stopped %v, want %v, %v", seed, cut,
					revisions(j.accepted), j.stopped, revisions(naive.accepted), naive.stopped)
			}
			if ring.Note().Version != uint64(naive.version) {
				t.Fatalf("seed %d, cuts %d: version %d counts, want %d", seed, cut, ring.Note().Version, naive.version)
			}
		}
	}
}

func revisions(links []Link) (all []uint64) {
	for _, l := range links {
		all = append(all, l.Revision)
	}
	return all
}

// A server that drops, alters, repeats and misorders what it delivers can hold
// back, never invent: what is accepted is always a part of the true log without a
// gap. Once it delivers all, a whole reading finds everything.
func TestJudgeAndHostileServer(t *testing.T) {
	for seed := range seeds(60) {
		w := newWorld(t, seed+1000)
		random := rand.New(rand.NewPCG(seed, 7))
		ring := w.keys.cold(t)
		judge := NewJudge(ring, prod, Position{})
		var last Link
		take := func(records []Record) {
			for _, r := range records {
				if !slices.Contains(w.genuine, r.Position().Link()) {
					t.Fatalf("seed %d: accepted revision %d, which was never signed there", seed, r.Revision)
				}
				if r.Prev != last && !r.ReplacesEpoch() {
					t.Fatalf("seed %d: revision %d was accepted after %d", seed, r.Revision, last.Revision)
				}
				last = r.Position().Link()
			}
			if len(records) > 0 && judge.Head().Link() != records[len(records)-1].Position().Link() {
				t.Fatalf("seed %d: the head is %v", seed, judge.Head())
			}
		}
		for range 2 * len(w.messages) {
			m := w.messages[random.IntN(len(w.messages))]
			if random.IntN(2) == 0 {
				m = w.messages[min(int(judge.Head().Revision)+random.IntN(3), len(w.messages)-1)]
			}
			switch random.IntN(6) {
			case 0:
				m = w.altered(m)
			case 1:
				m.Revision = uint64(random.IntN(len(w.messages)) + 1)
			case 2:
				m.Data = append(slices.Clone(m.Data), ' ')
			}
			before := judge.Head()
			verdict, r := judge.Offer(m)
			if judge.Head() != before {
				t.Fatalf("seed %d: the head moves before a proof", seed)
			}
			if verdict == EpochReplaced {
				take(judge.Settle(-1))
				judge = NewJudge(ring, prod, r.Position())
				take([]Record{r})
			}
			switch random.IntN(4) {
			case 0:
				take(judge.Settle(random.IntN(4)))
			case 1:
				take(judge.SettleSoFar())
			}
		}
		take(judge.Settle(-1))
		whole := NewReplayJudge(ring, prod, Position{}) // the keys of old renewals are retired by now
		for _, m := range w.messages {
			if verdict, _ := whole.Offer(m); verdict == Unreadable {
				break
			}
		}
		var got []Link
		for _, r := range whole.Settle(-1) {
			got = append(got, r.Position().Link())
		}
		if !slices.Equal(got, w.genuine) {
			t.Fatalf("seed %d: accepted %v in the end, want %v", seed, revisions(got), revisions(w.genuine))
		}
	}
}

// A replay judge reads all epochs as one history, as long as it is one.
func TestReplayJudgeAgainstModel(t *testing.T) {
	for seed := range seeds(40) {
		w := newWorld(t, seed+2000)
		for cut := range uint64(3) {
			random := rand.New(rand.NewPCG(seed, cut))
			ring := w.keys.cold(t)
			j := &judgedReader{tb: t, ring: ring, judge: NewReplayJudge(ring, prod, Position{})}
			j.read(w.messages, random, true)
			if !slices.Equal(j.accepted, w.genuine) {
				t.Fatalf("seed %d, cuts %d: accepted %v, want %v", seed, cut, revisions(j.accepted), revisions(w.genuine))
			}
		}
	}
}

// Whatever a message is, what is accepted is what was signed at that place.
func FuzzJudgeOffer(f *testing.F) {
	l := newLog(f)
	l.put(f, "a", 1, 1)
	start := l.head
	l.put(f, "b", 1, 2)
	l.put(f, "b", 2, 2)
	l.beginEpoch(f, epochB)
	l.put(f, "c", 1, 1)
	genuine := make(map[Link]bool)
	for _, m := range l.messages {
		genuine[Link{Revision: m.Revision, Digest: Sum(m.Data)}] = true
		f.Add(m.Revision, m.Subject, m.Proof, m.Data, false)
		f.Add(m.Revision+1, m.Subject, m.Proof, m.Data, true)
	}
	_, unsigned := l.prepare(f, Entry{OpID: "d", Kind: document.KindFlag, Key: "k", Index: 1, Count: 1, Put: []byte("{}")})
	f.Add(unsigned.Revision, unsigned.Subject, "", unsigned.Data, false)
	f.Add(uint64(3), "", string(epochA)+" - "+string(keysA().signing[0].sign("x")), []byte(`{"v":3}`), true)
	f.Add(uint64(3), "a2V5cy9rZXlz", string(epochA)+" - "+string(keysA().signing[0].sign("x")), golden(f, "keys.json"), false)
	f.Fuzz(func(t *testing.T, revision uint64, subject, proof string, data []byte, cold bool) {
		ring := keysA().keyring(t)
		head := start
		if cold {
			head = Position{}
		}
		m := Message{Revision: revision, Subject: subject, Proof: proof, Data: data}
		isTrue := genuine[Link{Revision: revision, Digest: Sum(data)}]
		for _, j := range []*Judge{NewJudge(ring, prod, head), NewReplayJudge(ring, prod, head)} {
			for range 2 {
				if verdict, r := j.Offer(m); !isTrue && verdict != Noise && verdict != Candidate && verdict != Past {
					t.Errorf("verdict %d of what nothing signed: %+v", verdict, r)
				}
			}
			j.SettleSoFar()
			for _, next := range l.messages {
				j.Offer(next)
			}
			for _, r := range j.Settle(-1) {
				if !genuine[r.Position().Link()] {
					t.Errorf("accepted %+v", r)
				}
			}
			if h := j.Head(); h != head && !genuine[h.Link()] {
				t.Errorf("stands at %v", h)
			}
		}
	})
}
