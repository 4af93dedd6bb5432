package changelog_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

func TestLedgerRecordCodec(t *testing.T) {
	t.Parallel()
	prev := changelog.Anchor{Sequence: 3, Digest: changelog.Sum([]byte("before"))}
	r := changelog.LedgerRecord{Stream: "LEDGER_prod", Sequence: 7, Prev: prev, OpID: "op", Body: []byte(`{"type":"refused"}`)}
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"v":2,"stream":"LEDGER_prod","sequence":7,"prev":{"sequence":3,"digest":"` + prev.Digest.String() + `"},"op":"op","record":{"type":"refused"}}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("encoded (-want +got):\n%s", diff)
	}
	decoded, err := changelog.DecodeLedgerRecord(data)
	r.Digest = changelog.Sum(data)
	if diff := cmp.Diff(r, decoded); err != nil || diff != "" {
		t.Errorf("decoded: %v (-want +got):\n%s", err, diff)
	}
}

func TestLedgerRecordRefuses(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("a", 64)
	good := `{"v":2,"stream":"CONTROL","sequence":7,"prev":{"sequence":3,"digest":"` + digest + `"},"op":"op","record":{"a":1}}`
	if _, err := changelog.DecodeLedgerRecord([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"an unknown member":         {`"op":`, `"more":1,"op":`},
		"a duplicate member":        {`"op":"op"`, `"op":"op","op":"op"`},
		"a duplicate in the body":   {`{"a":1}`, `{"a":1,"a":2}`},
		"an unknown member in prev": {`"digest":`, `"more":1,"digest":`},
		"no stream":                 {`"stream":"CONTROL",`, ``},
		"no sequence":               {`"sequence":7,`, ``},
		"no prev":                   {`"prev":{"sequence":3,"digest":"` + digest + `"},`, ``},
		"no sequence in prev":       {`"sequence":3,`, ``},
		"no digest in prev":         {`,"digest":"` + digest + `"`, ``},
		"no op":                     {`"op":"op",`, ``},
		"no record":                 {`,"record":{"a":1}`, ``},
		"sequence 0":                {`"sequence":7`, `"sequence":0`},
		"a prev that is later":      {`"sequence":3`, `"sequence":7`},
		"a zero prev with a digest": {`"sequence":3`, `"sequence":0`},
		"a long op-id":              {`"op":"op"`, `"op":"` + strings.Repeat("x", changelog.MaxOpID+1) + `"`},
		"a large body":              {`{"a":1}`, `"` + strings.Repeat("x", changelog.MaxLedgerBody) + `"`},
		"trailing bytes":            {`{"a":1}}`, `{"a":1}}{}`},
		"another version":           {`"v":2`, `"v":3`},
		"no version":                {`"v":2,`, ``},
	} {
		data := strings.Replace(good, change[0], change[1], 1)
		if data == good {
			t.Errorf("%s: nothing was changed", what)
		}
		_, err := changelog.DecodeLedgerRecord([]byte(data))
		if err == nil {
			t.Errorf("%s is taken: %s", what, data)
		}
		if newer := strings.Contains(what, "version"); newer != errors.Is(err, changelog.ErrVersion) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzLedgerRecord(f *testing.F) {
	zero := strings.Repeat("0", 64)
	f.Add([]byte(`{"v":2,"stream":"CONTROL","sequence":1,"prev":{"sequence":0,"digest":"` + zero + `"},"op":"x","record":{"a":1}}`))
	f.Add([]byte(`{"v":3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := changelog.DecodeLedgerRecord(data)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatalf("%q cannot be encoded again: %v", data, err)
		}
		second, err := changelog.DecodeLedgerRecord(again)
		twice, err2 := second.Encode()
		if err != nil || err2 != nil || !bytes.Equal(twice, again) {
			t.Errorf("%q became %q, then %q, %v, %v", data, again, twice, err, err2)
		}
	})
}

const ledgerStream = "LEDGER_prod"

// ledgerWorld is a stream with records and noise, and a publisher that knows
// its newest record.
type ledgerWorld struct {
	keys     trusttest.Keys
	signer   *changelog.Signer
	stream   string
	next     uint64
	head     changelog.Anchor
	messages []changelog.LedgerMessage
}

func newLedgerWorld() *ledgerWorld {
	keys := trusttest.Default()
	return &ledgerWorld{keys: keys, signer: keys.Signer(), stream: ledgerStream, next: 1}
}

func (w *ledgerWorld) judge() *changelog.LedgerJudge {
	return changelog.NewLedgerJudge(w.keys.PublisherKeyring(), w.stream, changelog.Anchor{})
}

// record returns a message at the next place.
func (w *ledgerWorld) record(prev changelog.Anchor, body string, signer *changelog.Signer) (changelog.LedgerMessage, changelog.Anchor) {
	r := changelog.LedgerRecord{Stream: w.stream, Sequence: w.next, Prev: prev, OpID: "op", Body: []byte(body)}
	data, err := r.Encode()
	if err != nil {
		panic(err)
	}
	at := changelog.Anchor{Sequence: w.next, Digest: changelog.Sum(data)}
	signature, err := signer.SignRecord(w.stream, at)
	if err != nil {
		panic(err)
	}
	return changelog.LedgerMessage{Sequence: w.next, Proof: string(signature), Data: data}, at
}

func (w *ledgerWorld) store(m changelog.LedgerMessage) {
	m.Sequence = w.next
	w.messages = append(w.messages, m)
	w.next++
}

func (w *ledgerWorld) append(body string) changelog.Anchor {
	m, at := w.record(w.head, body, w.signer)
	w.store(m)
	w.head = at
	return at
}

// noise stores something that no publisher appended.
func (w *ledgerWorld) noise(kind byte) {
	other := *w
	switch kind % 9 {
	case 0:
		w.store(changelog.LedgerMessage{Data: []byte("junk")})
	case 1: // right but for the signature
		m, _ := w.record(w.head, `{"n":-1}`, w.signer)
		m.Proof = ""
		w.store(m)
	case 2: // with the signature of another record
		m, _ := w.record(w.head, `{"n":-1}`, w.signer)
		n, _ := w.record(w.head, `{"n":-2}`, w.signer)
		m.Proof = n.Proof
		w.store(m)
	case 3: // of another installation
		m, _ := w.record(w.head, `{"n":-1}`, trusttest.New().Signer())
		w.store(m)
	case 4: // of another stream
		other.stream = "LEDGER_staging"
		m, _ := other.record(w.head, `{"n":-1}`, w.signer)
		w.store(m)
	case 5: // of another place
		other.next += 3
		m, _ := other.record(w.head, `{"n":-1}`, w.signer)
		w.store(m)
	case 6: // replayed
		if len(w.messages) > 0 {
			w.store(w.messages[int(kind)%len(w.messages)])
		}
	case 7: // a repair that was not ordered
		body, _ := changelog.LedgerRepair{Leaves: w.head, Actor: "x"}.Encode()
		m, _ := w.record(changelog.Anchor{}, string(body), trusttest.New().Signer())
		w.store(m)
	case 8: // another version, unsigned
		w.store(changelog.LedgerMessage{Data: []byte(`{"v":3}`), Proof: strings.Repeat("A", 92)})
	}
}

// unreadable stores what a newer publisher signed.
func (w *ledgerWorld) unreadable() {
	data := []byte(`{"v":3,"n":` + strconv.FormatUint(w.next, 10) + `}`)
	signature, err := w.signer.SignRecord(w.stream, changelog.Anchor{Sequence: w.next, Digest: changelog.Sum(data)})
	if err != nil {
		panic(err)
	}
	w.store(changelog.LedgerMessage{Data: data, Proof: string(signature)})
}

func (w *ledgerWorld) repair() {
	judge := w.judge()
	judgeAll(judge, w.messages, 0)
	ends := judge.Ends()
	repair := changelog.LedgerRepair{Kept: ends, Actor: "operator"}
	if len(ends) > 0 {
		repair.Leaves = ends[len(ends)-1]
	}
	body, err := repair.Encode()
	if err != nil {
		panic(err)
	}
	m, at := w.record(changelog.Anchor{}, string(body), w.signer)
	w.store(m)
	w.head = at
}

// judgeAll returns the sequences of what is proved; window is how many messages
// are read together, 0 for all.
func judgeAll(judge *changelog.LedgerJudge, messages []changelog.LedgerMessage, window int) []uint64 {
	var proved []uint64
	settle := func() {
		for _, r := range judge.Settle() {
			proved = append(proved, r.Sequence)
		}
	}
	for i, m := range messages {
		judge.Offer(m)
		if window > 0 && i%window == window-1 {
			settle()
		}
	}
	settle()
	return proved
}

// naive verifies each record for itself, from the first on.
func (w *ledgerWorld) naive() (proved []uint64, stopped bool) {
	keys := w.keys.PublisherKeyring()
	var head changelog.Anchor
	var islands []uint64
	for _, m := range w.messages {
		at := changelog.Anchor{Sequence: m.Sequence, Digest: changelog.Sum(m.Data)}
		if keys.VerifyRecord(w.stream, at, changelog.Signature(m.Proof)) != nil {
			continue
		}
		r, err := changelog.DecodeLedgerRecord(m.Data)
		_, repairs := changelog.RepairOf(r)
		switch {
		case err != nil:
			stopped = true
		case repairs:
			proved = append(append(proved, islands...), r.Sequence)
			head, islands, stopped = r.Anchor(), nil, false
		case r.Prev == head:
			proved = append(proved, r.Sequence)
			head, islands, stopped = r.Anchor(), nil, false
		default:
			islands, stopped = append(islands, r.Sequence), true
		}
	}
	return proved, stopped
}

func (w *ledgerWorld) check(t *testing.T, window int) {
	t.Helper()
	want, stopped := w.naive()
	judge := w.judge()
	got := judgeAll(judge, w.messages, window)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("proved in windows of %d (-naive +judge):\n%s", window, diff)
	}
	if err := judge.Obstacle(); (err != nil) != stopped {
		t.Errorf("windows of %d: obstacle %v, the naive reader stops: %t", window, err, stopped)
	}
}

func FuzzLedgerJudge(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 16, 0, 32, 0, 0, 0, 2, 1, 0, 3, 0, 4, 0, 5, 0})
	f.Add([]byte{0, 0, 0, 0, 2, 1, 0, 0, 3, 0, 0, 1, 17, 33, 49, 0, 4})
	f.Add([]byte{0, 4, 0, 3, 0, 0, 2, 0, 0, 2, 3, 3, 0})
	f.Fuzz(compareWithNaive)
}

// The judge proves what a reader does who verifies every record, whatever befalls the stream.
func TestLedgerJudgeAgreesWithANaiveReader(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		ops := make([]byte, 1+random.IntN(40))
		for i := range ops {
			ops[i] = byte(random.Uint32())
		}
		compareWithNaive(t, ops)
		if t.Failed() {
			t.Fatalf("operations %v", ops)
		}
	}
}

func compareWithNaive(t *testing.T, ops []byte) {
	t.Helper()
	w := newLedgerWorld()
	for _, op := range ops[:min(len(ops), 60)] {
		w.do(op)
	}
	for _, window := range []int{0, 1, 3} {
		w.check(t, window)
	}
}

func (w *ledgerWorld) do(op byte) {
	switch op % 6 {
	case 0, 5:
		w.append(`{"n":` + strconv.Itoa(len(w.messages)) + `}`)
	case 1:
		w.noise(op / 6)
	case 2: // a message is lost
		if n := len(w.messages); n > 0 {
			at := int(op/6) % n
			w.messages = append(w.messages[:at:at], w.messages[at+1:]...)
		}
	case 3:
		w.repair()
	case 4:
		w.unreadable()
	}
}

func TestLedgerJudgeSkipsNoise(t *testing.T) {
	t.Parallel()
	for kind := range byte(9) {
		w := newLedgerWorld()
		w.noise(kind)
		w.append(`1`)
		w.noise(kind)
		w.noise(kind)
		w.append(`2`)
		w.noise(kind)
		got := judgeAll(w.judge(), w.messages, 0)
		if len(got) != 2 {
			t.Errorf("noise of kind %d: records at %v", kind, got)
		}
		w.check(t, 0)
	}
}

func TestLedgerJudgeNamesTheObstacle(t *testing.T) {
	t.Parallel()
	gap := newLedgerWorld()
	gap.append(`1`)
	gap.append(`2`)
	gap.append(`3`)
	gap.messages = append(gap.messages[:1:1], gap.messages[2])

	fork := newLedgerWorld()
	first := fork.append(`1`)
	fork.append(`2`)
	fork.head = first
	fork.append(`"other"`)

	newer := newLedgerWorld()
	newer.append(`1`)
	newer.unreadable()

	for name, c := range map[string]struct {
		w     *ledgerWorld
		begin changelog.Anchor
		want  error
	}{
		"a gap":              {gap, changelog.Anchor{}, changelog.ErrGap},
		"another history":    {fork, changelog.Anchor{Sequence: 2, Digest: changelog.Sum(fork.messages[1].Data)}, changelog.ErrDifferentHistory},
		"a newer version":    {newer, changelog.Anchor{}, changelog.ErrUnreadable},
		"nothing is missing": {newLedgerWorld(), changelog.Anchor{}, nil},
	} {
		judge := changelog.NewLedgerJudge(c.w.keys.PublisherKeyring(), ledgerStream, c.begin)
		judgeAll(judge, c.w.messages, 0)
		if err := judge.Obstacle(); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		c.w.repair()
		judge = changelog.NewLedgerJudge(c.w.keys.PublisherKeyring(), ledgerStream, c.begin)
		judgeAll(judge, c.w.messages, 0)
		if err := judge.Obstacle(); err != nil || judge.Head() != c.w.head {
			t.Errorf("%s, repaired: %v, the head is %s and must be %s", name, err, judge.Head(), c.w.head)
		}
	}
}

// After a rotation, older records are proved by the chain, also across a repair; alone they prove nothing.
func TestLedgerJudgeAfterARotation(t *testing.T) {
	t.Parallel()
	keys := trusttest.New()
	secret, public, err := changelog.GenerateKey(keys.Installation)
	if err != nil {
		t.Fatal(err)
	}
	second, err := changelog.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	note, err := changelog.NewKeysNote(keys.Installation, 2, keys.Root, public)
	if err != nil {
		t.Fatal(err)
	}
	w := &ledgerWorld{keys: keys, signer: keys.Signer(), stream: ledgerStream, next: 1}
	w.append(`1`)
	w.append(`2`)
	w.append(`3`)
	w.messages = append(w.messages[:1:1], w.messages[2])
	w.repair()
	w.append(`5`)
	ring := keys.PublisherKeyring()
	if err := ring.Adopt(note.Text); err != nil {
		t.Fatal(err)
	}
	judge := changelog.NewLedgerJudge(ring, ledgerStream, changelog.Anchor{})
	if got := judgeAll(judge, w.messages, 1); len(got) != 0 || !errors.Is(judge.Obstacle(), changelog.ErrRetiredKey) {
		t.Errorf("by a key that was dropped: records at %v, %v", got, judge.Obstacle())
	}
	body, err := changelog.KeysRecord(note)
	if err != nil {
		t.Fatal(err)
	}
	w.signer = second
	w.append(string(body))
	for name, ring := range map[string]*changelog.Keyring{"that knows the note": ring, "that reads the note": keys.PublisherKeyring()} {
		judge := changelog.NewLedgerJudge(ring, ledgerStream, changelog.Anchor{})
		if diff := cmp.Diff([]uint64{1, 3, 4, 5, 6}, judgeAll(judge, w.messages, 2)); diff != "" || judge.Obstacle() != nil {
			t.Errorf("a reader %s: %v (-want +got):\n%s", name, judge.Obstacle(), diff)
		}
		if judge.NotedKeys() != 2 || !ring.Signs(second.ID()) || ring.Signs(keys.Signer().ID()) {
			t.Errorf("a reader %s has version %d of the keys note", name, ring.Note().Version)
		}
	}
	// A thief of the old key can add nothing any more.
	w.signer = keys.Signer()
	w.append(`"stolen"`)
	judge = changelog.NewLedgerJudge(ring, ledgerStream, changelog.Anchor{})
	if got := judgeAll(judge, w.messages, 0); len(got) != 5 || judge.Obstacle() != nil {
		t.Errorf("with a record of the old key: records at %v, %v", got, judge.Obstacle())
	}
}

// One signature is verified for what is read together.
func BenchmarkLedgerJudge(b *testing.B) {
	w := newLedgerWorld()
	for range 1000 {
		w.append(`{"type":"request.approved","by":"0123456789","request":"abcdefgh"}`)
	}
	for b.Loop() {
		if got := judgeAll(w.judge(), w.messages, 0); len(got) != len(w.messages) {
			b.Fatal(len(got))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(w.messages)), "ns/record")
}
