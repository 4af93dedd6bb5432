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
	epoch     changelog.Epoch
	records   []changelog.Record // by revision, from 1
	bodies    [][]byte
	committed []time.Time
	states    []changelog.Digest // of the documents after each record
	documents map[changelog.ID]changelog.Document
	beats     int
	last      []byte // the last beat, sent or not
}

// worldFaults are chances in percent, and how long things take at most.
type worldFaults struct {
	loseFeed, repeatFeed, lateFeed int
	loseBeat, oldBeat              int
	stale                          int // answers of a replica that is behind
	silence                        int // requests that are never answered
	noMajority                     int
	latency                        time.Duration
	slowLeader                     time.Duration // until its answer, which was true before, comes
}

func newWorld(tb testing.TB, random *rand.Rand) *world {
	tb.Helper()
	w := &world{tb: tb, random: random, epoch: changelog.NewEpoch(), documents: make(map[changelog.ID]changelog.Document)}
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
	w.epoch = changelog.NewEpoch()
	w.commit([]changelog.Entry{{Kind: changelog.KindEpoch, Key: changelog.EpochKey}})
}

// write commits a transaction of random changes.
func (w *world) write() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var entries []changelog.Entry
	for _, n := range w.random.Perm(8)[:1+w.random.IntN(4)] {
		e := changelog.Entry{Kind: changelog.KindFlag, Key: fmt.Sprint("flag-", n)}
		if e.Delete = w.chance(25); !e.Delete {
			e.Put = fmt.Appendf(nil, `{"n":%d}`, w.random.IntN(1000))
		}
		entries = append(entries, e)
	}
	w.commit(entries)
}

func (w *world) commit(entries []changelog.Entry) {
	op := fmt.Sprint("op-", len(w.records)+1)
	for i, e := range entries {
		e.Epoch, e.OpID, e.Index, e.Count, e.Actor, e.Time = w.epoch, op, i+1, len(entries), "tester", time.Now()
		if len(w.records) > 0 {
			e.Prev = w.records[len(w.records)-1].Digest
		}
		body, err := e.Encode()
		if err != nil {
			w.tb.Fatal(err)
		}
		r, err := changelog.DecodeRecord(uint64(len(w.records)+1), body)
		if err != nil {
			w.tb.Fatal(err)
		}
		w.fold(r)
		w.records, w.bodies, w.committed = append(w.records, r), append(w.bodies, body), append(w.committed, time.Now())
		w.states = append(w.states, w.sum())
		w.feed(r, body)
	}
}

func (w *world) fold(r changelog.Record) {
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
	header := fmt.Sprintf("\r\nNats-Stream: FLAGS_prod\r\nNats-Subject: flags.prod.%s\r\nNats-Sequence: %d", token, r.Revision)
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
	w.beats++
	head := w.records[len(w.records)-1]
	message := map[string]any{"v": 1, "epoch": head.Epoch, "head": head.Revision, "digest": head.Digest, "by": "model"}
	if w.beats%5 == 0 {
		message["state"] = w.states[len(w.states)-1]
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
		w.wire.publish("beat.prod", "", data)
	}()
}

func (w *world) head() changelog.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.records[len(w.records)-1].Position()
}

// at returns what the log adds up to at a revision, and whether a transaction
// ends there.
func (w *world) at(revision uint64) (p changelog.Position, state changelog.Digest, whole bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if revision == 0 || revision > uint64(len(w.records)) {
		return changelog.Position{}, changelog.Digest{}, revision == 0
	}
	r := w.records[revision-1]
	return r.Position(), w.states[revision-1], r.Index == r.Count
}

// before returns the last revision that was committed before a moment.
func (w *world) before(moment time.Time) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, _ := slices.BinarySearchFunc(w.committed, moment, time.Time.Compare)
	return uint64(n)
}

// answer is what the servers do with a request.
func (w *world) answer(r request) {
	w.mu.Lock()
	there, back, leader := w.lateness(), w.lateness(), w.faults.slowLeader
	silent := w.chance(w.faults.silence)
	w.mu.Unlock()
	if silent || r.reply == "" {
		return
	}
	time.Sleep(there)
	call, _ := strings.CutPrefix(r.subject, "$JS.API.")
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
		head, active = max(1, head-w.random.IntN(10)), 3*time.Second
	}
	replica := map[string]any{"name": "b", "active": active.Nanoseconds()}
	return map[string]any{
		"config":  map[string]any{"name": "FLAGS_prod", "metadata": map[string]any{"flagside.epoch": w.records[head-1].Epoch}},
		"state":   map[string]any{"first_seq": 1, "last_seq": head, "messages": head},
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
	if asked.Last == "flags.prod.>" {
		asked.Sequence = len(w.records)
	}
	if asked.Sequence < 1 || asked.Sequence > len(w.records) {
		return map[string]any{"error": map[string]any{"code": 404, "err_code": 10037, "description": "no message found"}}
	}
	return map[string]any{"message": map[string]any{
		"subject": "flags.prod." + w.records[asked.Sequence-1].ID().Subject(),
		"seq":     asked.Sequence, "data": w.bodies[asked.Sequence-1],
	}}
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
	has := len(w.records)
	if w.chance(w.faults.stale) {
		has -= w.random.IntN(min(has, 20))
	}
	last := min(has, asked.Sequence+asked.Batch-1)
	if w.chance(30) {
		last = min(last, asked.Sequence+w.random.IntN(5))
	}
	stops := w.chance(w.faults.silence)
	records, bodies := w.records, w.bodies
	w.mu.Unlock()

	time.Sleep(after)
	if last < asked.Sequence {
		r.session.send(r.reply, " 404 Message Not Found", nil)
		return
	}
	for i := asked.Sequence - 1; i < last; i++ {
		header := fmt.Sprintf("\r\nNats-Subject: flags.prod.%s\r\nNats-Sequence: %d", records[i].ID().Subject(), i+1)
		r.session.send(r.reply, header, bodies[i])
	}
	if !stops {
		r.session.send(r.reply, " 204 EOB", nil)
	}
}
