package flagsync_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// world is the naive reference: a log as a list, what it adds up to after each
// transaction, and servers that answer from it, late, stale or not at all. It
// lives in virtual time.
type world struct {
	tb   testing.TB
	wire *wire

	mu        sync.Mutex
	random    *rand.Rand
	faults    worldFaults
	records   []changelog.Record // by revision, from 1
	bodies    [][]byte
	lost      map[int]bool // revisions that are missing from the log
	punched   bool         // some have been
	gone      bool         // there is no stream
	documents map[changelog.ID]changelog.Document
	beats     int
	last      []byte // the last beat, sent or not

	written    map[changelog.Position]written // whatever stood in any log
	heads      []head                         // of the log, over time
	generation int                            // of the log: another one when it stops to continue itself
	snapshots  []*publication                 // named by the manifest, the newest first
	unreadable bool                           // the manifest is
}

// worldFaults are chances in percent, and how long things take at most.
type worldFaults struct {
	loseFeed, repeatFeed, lateFeed int
	loseBeat, oldBeat              int
	stale                          int // answers of a replica that is behind
	silence                        int // requests that are never answered
	behind                         int // entries that every replica lacks
	noMajority                     int
	noMetadata                     int // answers of the leader that do not name the epoch
	misdated                       int // and that name another time of its last entry
	latency                        time.Duration
	slowLeader                     time.Duration // until its answer, which was true before, comes
}

func newWorld(tb testing.TB, random *rand.Rand) *world {
	tb.Helper()
	w := &world{
		tb: tb, random: random, lost: make(map[int]bool), documents: make(map[changelog.ID]changelog.Document),
		written: make(map[changelog.Position]written),
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

// newEpoch writes an entry with which another epoch begins.
func (w *world) newEpoch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writable() || len(w.records) == 0 {
		w.commit(changelog.NewEpoch(), []changelog.Entry{{Kind: changelog.KindEpoch, Key: changelog.EpochKey}})
	}
}

// write commits a transaction of random changes, unless no publisher would.
func (w *world) write() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writable() {
		w.commit(w.newest().Epoch, w.changes())
	}
}

// changes returns a transaction of random changes.
func (w *world) changes() []changelog.Entry {
	var entries []changelog.Entry
	for _, n := range w.random.Perm(8)[:1+w.random.IntN(4)] {
		e := changelog.Entry{Kind: changelog.KindFlag, Key: fmt.Sprint("flag-", n)}
		if e.Delete = w.chance(25); !e.Delete {
			e.Put = fmt.Appendf(nil, `{"n":%d}`, w.random.IntN(1000))
		}
		entries = append(entries, e)
	}
	return entries
}

func (w *world) commit(epoch changelog.Epoch, entries []changelog.Entry) {
	op := fmt.Sprint("op-", len(w.records)+1)
	for i, e := range entries {
		e.Epoch, e.OpID, e.Index, e.Count, e.Actor, e.Time = epoch, op, i+1, len(entries), "tester", time.Now()
		e.Prev = w.newest().Digest
		body, err := e.Encode()
		if err != nil {
			w.tb.Fatal(err)
		}
		r, err := changelog.DecodeRecord(uint64(len(w.records)+1), body)
		if err != nil {
			w.tb.Fatal(err)
		}
		before := w.newest()
		w.records, w.bodies = append(w.records, r), append(w.bodies, body)
		w.fold(r)
		w.note(before, r)
		w.feed(r, body)
	}
}

// newest returns the position the log ends with; zero when it is empty.
func (w *world) newest() changelog.Position {
	if len(w.records) == 0 {
		return changelog.Position{}
	}
	return w.records[len(w.records)-1].Position()
}

func (w *world) fold(r changelog.Record) {
	if r.Renews() {
		clear(w.documents)
	}
	delete(w.documents, r.ID())
	if r.Put != nil {
		w.documents[r.ID()] = r.Document()
	}
}

func (w *world) sum() (state changelog.Digest) {
	for _, d := range w.documents {
		state = state.Toggle(d)
	}
	return state
}

// feed sends an entry to everybody who listens, if nothing happens to it.
func (w *world) feed(r changelog.Record, body []byte) {
	times := 1
	switch {
	case w.chance(w.faults.loseFeed):
		return
	case w.chance(w.faults.repeatFeed):
		times = 2
	}
	token := r.ID().Subject()
	header := fmt.Sprintf("\r\nNats-Stream: FLAGS_prod\r\nNats-Subject: flags.prod.%s\r\nNats-Sequence: %d\r\nNats-Time-Stamp: %s",
		token, r.Revision, r.Time.Format(time.RFC3339Nano))
	for range times {
		if !w.chance(w.faults.lateFeed) {
			w.wire.publish("feed.prod."+token, header, body)
			continue
		}
		late := w.lateness()
		go func() {
			time.Sleep(late)
			w.wire.publish("feed.prod."+token, header, body)
		}()
	}
}

// beat announces the head as it is now, or as it was a second ago, or nothing.
func (w *world) beat() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone || !w.has(len(w.records)) { // a publisher cannot read its head
		return
	}
	w.beats++
	head := w.newest()
	message := map[string]any{"v": 1, "epoch": head.Epoch, "head": head.Revision, "digest": head.Digest, "by": "model"}
	if w.beats%5 == 0 {
		message["state"] = w.sum()
	}
	data, err := json.Marshal(message)
	if err != nil {
		w.tb.Fatal(err)
	}
	previous := w.last
	w.last = data
	switch {
	case w.chance(w.faults.loseBeat):
		return
	case w.chance(w.faults.oldBeat) && previous != nil:
		data = previous
	}
	late := w.lateness()
	go func() {
		time.Sleep(late)
		w.wire.publish("heartbeat.prod", "", data)
	}()
}

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
	head, active := len(w.records), 500*time.Millisecond
	if w.chance(w.faults.noMajority) {
		head, active = max(min(head, 1), head-w.random.IntN(10)), 3*time.Second
	}
	metadata := map[string]any{}
	if head > 0 && !w.chance(w.faults.noMetadata) {
		metadata["flagside.epoch"] = w.records[head-1].Epoch
	}
	state := map[string]any{"first_seq": 1, "last_seq": head, "messages": head}
	if head > 0 {
		state["last_ts"] = w.records[head-1].Time
	}
	if w.chance(w.faults.misdated) {
		state["last_ts"] = time.Now().Add(time.Hour)
	}
	replica := map[string]any{"name": "b", "active": active.Nanoseconds()}
	return map[string]any{
		"config":  map[string]any{"name": "FLAGS_prod", "metadata": metadata},
		"state":   state,
		"cluster": map[string]any{"leader": "a", "replicas": []any{replica, replica}},
	}
}

// message is an entry as the leader has it.
func (w *world) message(body []byte) any {
	var asked struct {
		Sequence int    `json:"seq"`
		Last     string `json:"last_by_subj"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		w.tb.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if asked.Last != "" {
		asked.Sequence = w.lastOf(asked.Last)
	}
	if !w.has(asked.Sequence) {
		return map[string]any{"error": map[string]any{"code": 404, "err_code": 10037, "description": "no message found"}}
	}
	return map[string]any{"message": map[string]any{
		"subject": "flags.prod." + w.records[asked.Sequence-1].ID().Subject(),
		"seq":     asked.Sequence, "data": w.bodies[asked.Sequence-1], "time": w.records[asked.Sequence-1].Time,
	}}
}

// lastOf returns the newest revision of a subject, which may hold a wildcard.
func (w *world) lastOf(subject string) int {
	for revision := len(w.records); revision > 0; revision-- {
		if w.has(revision) && subjectMatches(subject, "flags.prod."+w.records[revision-1].ID().Subject()) {
			return revision
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
	}
	if err := json.Unmarshal(r.data, &asked); err != nil {
		w.tb.Error(err)
	}
	w.mu.Lock()
	has := max(0, len(w.records)-w.faults.behind)
	if w.chance(w.faults.stale) {
		has -= w.random.IntN(min(has, 20) + 1)
	}
	last := min(has, asked.Sequence+asked.Batch-1)
	if w.chance(30) {
		last = min(last, asked.Sequence+w.random.IntN(5))
	}
	stops := w.chance(w.faults.silence)
	var found []int // a hole is not told
	for revision := asked.Sequence; revision <= last; revision++ {
		if w.has(revision) {
			found = append(found, revision)
		}
	}
	records, bodies := slices.Clone(w.records), slices.Clone(w.bodies)
	w.mu.Unlock()

	time.Sleep(after)
	if len(found) == 0 {
		r.session.send(r.reply, " 404 Message Not Found", nil)
		return
	}
	for _, revision := range found {
		header := fmt.Sprintf("\r\nNats-Subject: flags.prod.%s\r\nNats-Sequence: %d\r\nNats-Time-Stamp: %s",
			records[revision-1].ID().Subject(), revision, records[revision-1].Time.Format(time.RFC3339Nano))
		r.session.send(r.reply, header, bodies[revision-1])
	}
	if !stops {
		r.session.send(r.reply, " 204 EOB", nil)
	}
}
