package follow_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// world is the naive reference: a stream as a list, what its entries add up to
// after each transaction, and servers that answer from it, late, stale or not at
// all. It lives in virtual time.
type world struct {
	tb   testing.TB
	wire *wire

	mu        sync.Mutex
	random    *rand.Rand
	faults    worldFaults
	keys      worldKeys
	messages  []stored     // by sequence, from 1: entries and noise
	lost      map[int]bool // sequences that are missing from the stream
	punched   bool         // some have been
	gone      bool         // there is no stream
	documents map[document.ID]document.Document
	newestID  changelog.Epoch // of all that there ever were
	beats     int
	last      *beat  // the last heartbeat, sent or not
	sent      []beat // all of them

	written    map[changelog.Position]written // whatever stood in any log
	past       []stored                       // the same as messages
	heads      []head                         // of the log, over time
	generation int                            // of the log: another one when it stops to continue itself
	snapshots  []*publication                 // named by the manifest, the newest first
	forged     *message                       // what stands in the place of the manifest; nil is nothing
	noises     map[string]int                 // how often each kind of noise was made
}

// message is what is stored or sent, with its headers as they go over the wire.
type message struct {
	header string
	data   []byte
}

// beat is a heartbeat.
type beat struct {
	message
	at time.Time
}

// stored is a message of the stream.
type stored struct {
	message
	token    string // last one of its subject
	sequence uint64
	taken    time.Time
	record   *changelog.Record // nil is noise
	other    *changelog.Record // of an entry of another log that stands here again
}

// worldFaults are chances in percent, and how long things take at most.
type worldFaults struct {
	loseFeed, repeatFeed, lateFeed int
	loseBeat, oldBeat              int
	stale                          int // answers of a replica that is behind
	silence                        int // requests that are never answered
	behind                         int // messages that every replica lacks
	noMajority                     int
	misdated                       int // answers of the leader that name another time of its last message
	latency                        time.Duration
	slowLeader                     time.Duration // until its answer, which was true before, comes
}

func newWorld(tb testing.TB, random *rand.Rand) *world {
	tb.Helper()
	w := &world{
		tb: tb, random: random, lost: make(map[int]bool), documents: make(map[document.ID]document.Document),
		written: make(map[changelog.Position]written), keys: newWorldKeys(), noises: make(map[string]int),
	}
	w.wire = newWire(w.answer)
	w.newEpoch()
	return w
}

// chance reports whether something happens that does in so many percent.
func (w *world) chance(percent int) bool { return w.random.IntN(100) < percent }

func (w *world) lateness() time.Duration {
	if w.faults.latency == 0 {
		return time.Millisecond
	}
	return time.Duration(w.random.Int64N(int64(w.faults.latency)))
}

func (w *world) setFaults(f worldFaults) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = f
}

// newEpoch begins another epoch: the first of an empty stream, or one that renews
// the state as it is.
func (w *world) newEpoch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.newest().IsZero() && w.writable():
		w.renewal(w.documents, len(w.documents))
	case w.newest().IsZero() && !w.gone:
		w.newestID = changelog.NewEpoch(time.Now(), "")
		w.commit(changelog.Position{}, w.newestID, []changelog.Entry{{Kind: document.KindEpoch, Key: document.EpochKey}, w.keys.entry(w.tb)})
	}
}

// renewal writes some of the entries that renew the state to that of some
// documents, after the newest entry that there is. All of the documents are in
// the last of them.
func (w *world) renewal(documents map[document.ID]document.Document, some int) {
	after := w.newestPresent()
	if after != w.newest() {
		w.generation++ // what is lost at the end is not continued
	}
	w.newestID = changelog.NewEpoch(time.Now(), w.newestID)
	put := slices.SortedFunc(maps.Values(documents), func(a, b document.Document) int { return strings.Compare(a.Key, b.Key) })
	put = slices.DeleteFunc(put, func(d document.Document) bool { return d.Kind == document.KindKeys })
	part := []changelog.Entry{
		{Kind: document.KindEpoch, Key: document.EpochKey, Complete: uint64(len(put) + 1), Leaves: after},
		w.keys.entry(w.tb),
	}
	for _, d := range put[:min(some, len(put))] {
		if w.chance(50) {
			w.commit(after, w.newestID, part)
			after, part = w.newest(), nil
		}
		part = append(part, changelog.Entry{Kind: d.Kind, Key: d.Key, Put: d.Body})
	}
	if len(part) > 0 {
		w.commit(after, w.newestID, part)
	}
}

// write commits a transaction of random changes, unless no publisher would.
func (w *world) write() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writable() {
		w.append(w.changes())
	}
}

// append commits a transaction after the newest entry.
func (w *world) append(entries []changelog.Entry) {
	w.commit(w.newest(), w.newest().Epoch, entries)
}

// changes returns a transaction of random changes.
func (w *world) changes() []changelog.Entry {
	var entries []changelog.Entry
	for _, n := range w.random.Perm(8)[:1+w.random.IntN(4)] {
		e := changelog.Entry{Kind: document.KindFlag, Key: fmt.Sprint("flag-", n)}
		if e.Delete = w.chance(25); !e.Delete {
			e.Put = fmt.Appendf(nil, `{"n":%d}`, w.random.IntN(1000))
		}
		entries = append(entries, e)
	}
	return entries
}

// commit appends a transaction that continues an entry, and signs it.
func (w *world) commit(after changelog.Position, epoch changelog.Epoch, entries []changelog.Entry) {
	state := w.stateAfter(entries)
	op := fmt.Sprint("op-", len(w.messages)+1)
	for i, e := range entries {
		e.Environment, e.Epoch, e.Revision, e.Prev = environment, epoch, uint64(len(w.messages)+1), after.Link()
		e.OpID, e.Index, e.Count, e.Actor, e.Time = op, i+1, len(entries), "tester", time.Now()
		if e.Index == e.Count {
			e.State = state
		}
		r := w.sign(e)
		w.fold(*r.record)
		w.store(r)
		w.note(after, *r.record)
		after = r.record.Position()
	}
}

// sign returns the message of an entry with its proof.
func (w *world) sign(e changelog.Entry) stored {
	body, err := e.Encode()
	if err != nil {
		w.tb.Fatal(err)
	}
	r, err := changelog.DecodeRecord(e.Revision, body)
	if err != nil {
		w.tb.Fatal(err)
	}
	proved, err := w.keys.signer.SignHead(environment, r.Head())
	if err != nil {
		w.tb.Fatal(err)
	}
	r.Signature = proved.Signature
	return stored{message: message{proofHeader(proved.ProofText()), body}, token: changelog.Subject(e.ID()), record: &r}
}

func proofHeader(proof string) string { return "\r\n" + changelog.ProofHeader + ": " + proof }

// store appends a message to the stream, whose server tells everybody who listens.
func (w *world) store(m stored) {
	m.sequence, m.taken = uint64(len(w.messages)+1), time.Now()
	w.messages = append(w.messages, m)
	if m.record != nil {
		w.past = append(w.past, m)
	}
	w.feed(m)
}

// newest returns the position the log ends with; zero when it is empty.
func (w *world) newest() changelog.Position { return w.newestOf(func(int) bool { return true }) }

// newestPresent returns the position of the newest entry that is there.
func (w *world) newestPresent() changelog.Position { return w.newestOf(w.has) }

func (w *world) newestOf(counts func(sequence int) bool) changelog.Position {
	for i, m := range slices.Backward(w.messages) {
		if m.record != nil && counts(i+1) {
			return m.record.Position()
		}
	}
	return changelog.Position{}
}

func (w *world) fold(r changelog.Record) { foldInto(w.documents, r.Entry) }

func foldInto(documents map[document.ID]document.Document, e changelog.Entry) {
	if e.Kind == document.KindEpoch {
		clear(documents)
		return
	}
	delete(documents, e.ID())
	if e.Put != nil {
		documents[e.ID()] = document.Document{Kind: e.Kind, Key: e.Key, Revision: e.Revision, Body: e.Put}
	}
}

func (w *world) sum() changelog.Digest { return sumOf(w.documents) }

func sumOf(documents map[document.ID]document.Document) changelog.Digest {
	state := changelog.State{}.Edit()
	for _, d := range documents {
		state.Add(d)
	}
	return state.State().Digest()
}

// stateAfter returns the state digest after entries that are appended next.
func (w *world) stateAfter(entries []changelog.Entry) changelog.Digest {
	documents := maps.Clone(w.documents)
	for i, e := range entries {
		e.Revision = uint64(len(w.messages) + 1 + i)
		foldInto(documents, e)
	}
	return sumOf(documents)
}

// feed sends a message to everybody who listens, if nothing happens to it.
func (w *world) feed(m stored) {
	times := 1
	switch {
	case w.chance(w.faults.loseFeed):
		return
	case w.chance(w.faults.repeatFeed):
		times = 2
	}
	for range times {
		if !w.chance(w.faults.lateFeed) {
			w.wire.publish("feed.prod."+m.token, m.served(), m.data)
			continue
		}
		late := w.lateness()
		go func() {
			time.Sleep(late)
			w.wire.publish("feed.prod."+m.token, m.served(), m.data)
		}()
	}
}

// served returns the headers with which a server serves a message: its own come
// last.
func (m stored) served() string {
	return fmt.Sprintf("%s\r\nNats-Stream: FLAGS_prod\r\nNats-Subject: flags.prod.%s\r\nNats-Sequence: %d\r\nNats-Time-Stamp: %s",
		m.header, m.token, m.sequence, m.taken.Format(time.RFC3339Nano))
}

// beat announces the head as it is now, or as it was a second ago, or nothing.
func (w *world) beat() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.canBeat() {
		return
	}
	w.beats++
	now := beat{w.heartbeat(), time.Now()}
	sent, previous := now, w.last
	w.last = &now
	switch {
	case w.chance(w.faults.loseBeat):
		return
	case w.chance(w.faults.oldBeat) && previous != nil:
		sent = *previous
	}
	w.sent = append(w.sent, sent)
	late := w.lateness()
	go func() {
		time.Sleep(late)
		w.tell(sent.message)
	}()
}

// canBeat reports whether a publisher can read its head.
func (w *world) canBeat() bool {
	newest := w.newest()
	return !w.gone && !newest.IsZero() && w.has(int(newest.Revision))
}

// heartbeat returns the next heartbeat.
func (w *world) heartbeat() message {
	h := changelog.Heartbeat{
		Position: w.newest(), Begin: w.newestEpoch().Revision, First: 1, End: uint64(len(w.messages)),
		By: "model", N: uint64(w.beats), Time: time.Now().UTC(),
	}
	data, signature, err := changelog.EncodeHeartbeat(w.keys.signer, environment, h)
	if err != nil {
		w.tb.Fatal(err)
	}
	return message{proofHeader(string(signature)), data}
}

// tell sends a heartbeat to everybody who listens.
func (w *world) tell(m message) { w.wire.publish("heartbeat.prod", m.header, m.data) }

func (w *world) head() changelog.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest()
}

// answer is what the servers do with a request.
func (w *world) answer(r request) {
	w.mu.Lock()
	there, back, leader := w.lateness(), w.lateness(), w.faults.slowLeader
	silent := w.chance(w.faults.silence)
	gone := w.gone
	w.mu.Unlock()
	if silent || r.reply == "" {
		return
	}
	time.Sleep(there)
	call, _ := strings.CutPrefix(r.subject, "$JS.API.")
	snapshot, isSnapshot := strings.CutPrefix(call, "DIRECT.GET.SNAP_prod.")
	switch {
	case isSnapshot:
		w.snapshot(r, back, snapshot)
		return
	case gone:
		call += " of no stream"
	}
	switch call {
	case "STREAM.INFO.FLAGS_prod":
		w.reply(r, back+leader, w.info())
	case "STREAM.MSG.GET.FLAGS_prod":
		w.reply(r, back+leader, w.message(r.data))
	case "DIRECT.GET.FLAGS_prod":
		w.batch(r, back)
	default:
		time.Sleep(back)
		if strings.HasPrefix(call, "DIRECT.GET") {
			r.session.send(r.reply, " 503", nil)
			return
		}
		r.session.send(r.reply, "", []byte(`{"error":{"code":404,"err_code":10059,"description":"stream not found"}}`))
	}
}

func (w *world) reply(r request, after time.Duration, answer any) {
	data, err := json.Marshal(answer)
	if err != nil {
		w.tb.Error(err)
	}
	time.Sleep(after)
	r.session.send(r.reply, "", data)
}

// info is the answer of the leader, which may have lost its majority and know
// nothing of what another one has committed since.
func (w *world) info() any {
	w.mu.Lock()
	defer w.mu.Unlock()
	head, active := len(w.messages), 500*time.Millisecond
	if w.chance(w.faults.noMajority) {
		head, active = max(min(head, 1), head-w.random.IntN(10)), 3*time.Second
	}
	state := map[string]any{"first_seq": 1, "last_seq": head, "messages": head}
	if head > 0 {
		state["last_ts"] = w.messages[head-1].taken
	}
	if w.chance(w.faults.misdated) {
		state["last_ts"] = time.Now().Add(time.Hour)
	}
	replica := map[string]any{"name": "b", "active": active.Nanoseconds()}
	return map[string]any{
		"config":  map[string]any{"name": "FLAGS_prod"},
		"state":   state,
		"cluster": map[string]any{"leader": "a", "replicas": []any{replica, replica}},
	}
}

// message is a message as the leader has it.
func (w *world) message(body []byte) any {
	var asked struct {
		Sequence int    `json:"seq"`
		Last     string `json:"last_by_subj"`
		Next     string `json:"next_by_subj"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		w.tb.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case asked.Last != "":
		asked.Sequence = w.lastOf(asked.Last)
	case asked.Next != "":
		asked.Sequence = w.nextOf(asked.Sequence, asked.Next)
	}
	if !w.has(asked.Sequence) {
		return map[string]any{"error": map[string]any{"code": 404, "err_code": 10037, "description": "no message found"}}
	}
	m := w.messages[asked.Sequence-1]
	answer := map[string]any{"subject": "flags.prod." + m.token, "seq": m.sequence, "data": m.data, "time": m.taken}
	if m.header != "" {
		answer["hdrs"] = []byte("NATS/1.0" + m.header + "\r\n\r\n")
	}
	return map[string]any{"message": answer}
}

// lastOf returns the newest sequence of a subject, which may hold a wildcard.
func (w *world) lastOf(subject string) int {
	for sequence := len(w.messages); sequence > 0; sequence-- {
		if w.has(sequence) && subjectMatches(subject, "flags.prod."+w.messages[sequence-1].token) {
			return sequence
		}
	}
	return 0
}

// nextOf returns the first sequence of a subject from one on.
func (w *world) nextOf(from int, subject string) int {
	for sequence := max(from, 1); sequence <= len(w.messages); sequence++ {
		if w.has(sequence) && subjectMatches(subject, "flags.prod."+w.messages[sequence-1].token) {
			return sequence
		}
	}
	return 0
}

// batch answers from some replica, which may be behind, and may stop in the
// middle.
func (w *world) batch(r request, after time.Duration) {
	var asked struct {
		Sequence int `json:"seq"`
		Batch    int `json:"batch"`

		Next string `json:"next_by_subj"`
	}
	if err := json.Unmarshal(r.data, &asked); err != nil {
		w.tb.Error(err)
	}
	w.mu.Lock()
	has := max(0, len(w.messages)-w.faults.behind)
	if w.chance(w.faults.stale) {
		has -= w.random.IntN(min(has, 20) + 1)
	}
	most := asked.Batch
	if w.chance(30) {
		most = min(most, 1+w.random.IntN(5))
	}
	stops := w.chance(w.faults.silence)
	var found []stored // a hole is not told
	for sequence := max(asked.Sequence, 1); sequence <= has && len(found) < most; sequence++ {
		m := w.messages[sequence-1]
		if w.has(sequence) && (asked.Next == "" || subjectMatches(asked.Next, "flags.prod."+m.token)) {
			found = append(found, m)
		}
	}
	w.mu.Unlock()

	time.Sleep(after)
	if len(found) == 0 {
		r.session.send(r.reply, " 404 Message Not Found", nil)
		return
	}
	for _, m := range found {
		r.session.send(r.reply, m.served(), m.data)
	}
	if !stops {
		r.session.send(r.reply, " 204 EOB", nil)
	}
}
