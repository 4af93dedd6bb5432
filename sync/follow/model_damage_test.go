package follow_test

import (
	"fmt"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// has reports whether the stream has a message.
func (w *world) has(sequence int) bool {
	return sequence > 0 && sequence <= len(w.messages) && !w.lost[sequence]
}

// writable reports whether a publisher writes to the log: not while there is
// none, and not while its state is not complete.
func (w *world) writable() bool {
	return !w.gone && !w.newest().IsZero() && w.incomplete() == 0
}

// newestEpoch returns the entry that the newest epoch begins with.
func (w *world) newestEpoch() changelog.Record {
	newest, _ := w.epochOf()
	return newest
}

// incomplete returns how many entries the state of the newest epoch lacks.
func (w *world) incomplete() uint64 {
	newest, followed := w.epochOf()
	return newest.Complete - min(followed, newest.Complete)
}

// epochOf returns the entry that the newest epoch begins with, and how many
// entries follow it.
func (w *world) epochOf() (newest changelog.Record, followed uint64) {
	for _, m := range slices.Backward(w.messages) {
		r := m.record
		switch {
		case r == nil:
		case r.Kind == document.KindEpoch:
			return *r, followed
		default:
			followed++
		}
	}
	return newest, followed
}

// replaced begins another generation of the log.
func (w *world) replaced() {
	w.generation++
	w.last = nil
	w.noteHead()
}

// truncate takes away what stands after a sequence, or all.
func (w *world) truncate(sequence int) {
	w.messages = w.messages[:sequence:sequence]
	clear(w.documents)
	for _, m := range w.messages {
		if m.record != nil {
			w.fold(*m.record)
		}
	}
	for lost := range w.lost {
		if lost > sequence {
			delete(w.lost, lost)
		}
	}
	w.replaced()
}

// remove deletes the stream.
func (w *world) remove() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.truncate(0)
	w.gone = true
}

// recreate makes the stream anew: empty, or with its first entry alone.
func (w *world) recreate(first bool) {
	w.mu.Lock()
	w.truncate(0)
	w.gone = false
	w.mu.Unlock()
	if first {
		w.newEpoch()
	}
}

// restore puts an older state of the log in its place, which ends with a whole
// transaction. Servers are restarted for that.
func (w *world) restore() {
	w.mu.Lock()
	if len(w.messages) > 0 && !w.gone {
		sequence := 1 + w.random.IntN(len(w.messages))
		for sequence > 0 && w.splits(sequence) {
			sequence--
		}
		if w.has(sequence) {
			w.truncate(sequence)
		}
	}
	w.mu.Unlock()
	w.wire.cut()
}

// splits reports whether the stream would end within a transaction with a
// sequence.
func (w *world) splits(sequence int) bool {
	r := w.messages[sequence-1].record
	return r != nil && r.Index != r.Count
}

// punch takes entries out of the log, which its settings forbid: its beginning,
// some in the middle, or its end, which may be all of it. Servers whose newest
// entry is lost were restarted.
func (w *world) punch() {
	w.mu.Lock()
	if len(w.messages) < 3 {
		w.mu.Unlock()
		return
	}
	w.punched = true
	from, end := 1, len(w.messages)-1
	if w.chance(50) {
		from = 1 + w.random.IntN(end)
	}
	if w.chance(25) {
		end = len(w.messages)
	}
	to := min(end, from+w.random.IntN(len(w.messages)-from+1))
	if w.chance(20) {
		from, to = 1, len(w.messages) // a head, and nothing else
	}
	for revision := from; revision <= to; revision++ {
		w.lost[revision] = true
	}
	restarted := to >= int(w.newest().Revision)
	w.mu.Unlock()
	if restarted {
		w.wire.cut()
	}
}

// renew begins a new epoch with a state of its own, and completes it or not.
func (w *world) renew(complete bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = false
	documents := make(map[document.ID]document.Document)
	for n := range 1 + w.random.IntN(4) {
		d := document.Document{Kind: document.KindFlag, Key: fmt.Sprint("flag-", n), Body: fmt.Appendf(nil, `{"renewed":%d}`, w.random.IntN(1000))}
		documents[d.ID()] = d
	}
	some := len(documents)
	if !complete {
		some = w.random.IntN(some)
	}
	w.renewal(documents, some)
}

// fate is what becomes of a follower that is left alone with the log.
type fate int

// The fates: going on, or one of the reasons not to.
const (
	current fate = iota
	nothing
	missing
	regressed
	forked
	different
	incomplete
	holed
)

// String returns the name.
func (f fate) String() string {
	return [...]string{"current", "nothing", "missing", "regressed", "forked", "different", "incomplete", "holed"}[f]
}

// knowledge is what a follower is known to hold and to have heard.
type knowledge struct {
	at         changelog.Position // of the last entry that it has received
	holdAtHole bool
	told       bool // by a heartbeat, where the newest epoch begins
	seen       bool // what is behind the last entry, before it was lost
	keyless    bool // it had seen no keys note when it read
}

// next returns where a follower goes from what it has received, or why it stays,
// by the words of the protocol.
func (w *world) next(k knowledge) (changelog.Position, fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.gone:
		return k.at, missing
	case len(w.messages) == 0 && k.at.IsZero():
		return k.at, nothing
	}
	c := w.charge(k.at, k.seen)
	if hole := w.firstLost(); k.keyless && k.at.IsZero() && hole > 0 {
		c = charge{fate: holed, hole: hole} // nothing before it could be proved when it was read
	}
	if c.fate == current {
		return c.next, current
	}
	return w.wayOut(k, c)
}

// firstLost returns the first sequence that is missing, 0 if none is.
func (w *world) firstLost() uint64 {
	for sequence := range len(w.messages) {
		if !w.has(sequence + 1) {
			return uint64(sequence + 1)
		}
	}
	return 0
}

// charge is how the log continues a position, or what is wrong with it.
type charge struct {
	fate    fate
	next    changelog.Position
	hole    uint64            // sequence that is missing
	renewal *changelog.Record // the entry that was met
}

// charge says how the log continues a position: the next entry does, or not.
func (w *world) charge(at changelog.Position, seen bool) charge {
	revision, last := int(at.Revision), len(w.messages)
	switch {
	case revision > last:
		return charge{fate: regressed}
	case revision > 0 && !w.has(revision):
		return charge{fate: holed, hole: at.Revision}
	case revision > 0 && (w.messages[revision-1].record == nil || w.messages[revision-1].record.Position() != at):
		return charge{fate: forked}
	}
	for sequence := revision + 1; sequence <= last; sequence++ {
		r := w.messages[sequence-1].record
		if !w.has(sequence) {
			if at == w.newest() && (seen || w.canBeat()) {
				return ended(at) // or a publisher has looked at what is missing
			}
			if r = w.bridge(sequence, at); r == nil {
				return charge{fate: holed, hole: uint64(sequence)}
			}
		}
		switch {
		case r == nil:
		case r.ReplacesEpoch():
			return charge{fate: different, renewal: r}
		case r.Prev == at.Link():
			return charge{next: r.Position()}
		}
	}
	return ended(at)
}

// ended is the charge where nothing follows a position.
func ended(at changelog.Position) charge {
	if at.IsZero() {
		return charge{fate: nothing}
	}
	return charge{next: at}
}

// bridgeMost is how many messages behind a missing one are looked at.
const bridgeMost = 16

// bridge returns the entry behind a missing message that shows that nothing which
// counts is missing.
func (w *world) bridge(sequence int, at changelog.Position) *changelog.Record {
	for range bridgeMost {
		if sequence = w.nextOf(sequence+1, "flags.prod.>"); sequence == 0 {
			return nil
		}
		if r := w.messages[sequence-1].record; r != nil && r.Prev == at.Link() {
			return r
		}
	}
	return nil
}

// begin returns the entry that the newest epoch begins with, as far as a follower
// can find it.
func (w *world) begin(k knowledge, c charge) *changelog.Record {
	var newest *changelog.Record
	consider := func(r *changelog.Record) {
		if r != nil && w.has(int(r.Revision)) && (newest == nil || r.Epoch.Later(newest.Epoch)) {
			newest = r
		}
	}
	consider(c.renewal)
	if i := w.lastOf("flags.prod." + changelog.Subject(epochID)); i > 0 {
		consider(w.messages[i-1].record)
		consider(w.messages[i-1].other)
	}
	if k.told {
		if r := w.newestEpoch(); r.Revision > 0 {
			consider(&r)
		}
	}
	return newest
}

// wayOut returns the state that is taken over as a whole by who cannot follow.
func (w *world) wayOut(k knowledge, c charge) (changelog.Position, fate) {
	if c.fate == nothing {
		return k.at, nothing
	}
	begin, at, last := w.begin(k, c), k.at, uint64(len(w.messages))
	if begin == nil {
		return w.wayOutBySnapshot(k, c)
	}
	fresh := begin.Epoch != at.Epoch
	if fresh && c.fate != holed {
		c.fate = different
	}
	above := max(c.hole, begin.Revision)
	switch {
	case fresh && !begin.Epoch.Later(at.Epoch), fresh && !begin.ReplacesEpoch() && !at.IsZero():
		return at, c.fate
	case c.hole > 0 && k.holdAtHole && begin.Revision < c.hole, c.hole == 0 && !fresh:
		return at, c.fate
	case c.hole > 0 && !fresh:
		if p, ok := w.usable(begin.Epoch, above); ok {
			return p, current
		}
		return at, c.fate
	case last < begin.Revision+begin.Complete:
		return at, c.unfinished()
	}
	if p, ok := w.usable(begin.Epoch, above); ok {
		return p, current
	}
	if c.hole >= begin.Revision {
		return at, c.fate
	}
	return w.replayed(k, c, *begin)
}

// wayOutBySnapshot is wayOut where the entry that the newest epoch begins with is
// not to be found: a snapshot of a later epoch shows that there is one.
func (w *world) wayOutBySnapshot(k knowledge, c charge) (changelog.Position, fate) {
	if len(w.messages) == 0 || c.hole > 0 && k.holdAtHole {
		return k.at, c.fate
	}
	p, ok := w.published(func(p changelog.Position) bool {
		if p.Epoch == k.at.Epoch {
			return c.hole > 0 && p.Revision > c.hole
		}
		return p.Revision > c.hole && p.Epoch.Later(k.at.Epoch) && w.mayReplace(p.Epoch)
	})
	if !ok {
		return k.at, c.fate
	}
	return p, current
}

// mayReplace reports whether an epoch renews the state, or the entry that would tell
// is lost.
func (w *world) mayReplace(epoch changelog.Epoch) bool {
	for i, m := range w.messages {
		if r := m.record; r != nil && r.Kind == document.KindEpoch && r.Epoch == epoch && w.has(i+1) {
			return r.ReplacesEpoch()
		}
	}
	return true
}

func (c charge) unfinished() fate {
	if c.fate == different {
		return incomplete
	}
	return c.fate
}

// replayed returns the position that the log adds up to, if it is read from the
// entry that an epoch begins with.
func (w *world) replayed(k knowledge, c charge, begin changelog.Record) (changelog.Position, fate) {
	newest, whole, entries := begin, changelog.Position{}, uint64(0)
	prev := begin.Prev
	for sequence := int(begin.Revision); sequence <= len(w.messages); sequence++ {
		r := w.messages[sequence-1].record
		if r == nil || !w.has(sequence) {
			continue
		}
		if r.Prev != prev {
			return k.at, c.fate // an entry is missing
		}
		prev = r.Position().Link()
		entries++
		if r.Kind == document.KindEpoch {
			newest, entries = *r, 0
		}
		if r.Index == r.Count {
			whole = r.Position()
		}
	}
	if entries < newest.Complete || whole.Epoch != newest.Epoch {
		return k.at, c.unfinished()
	}
	return whole, current
}

var epochID = document.ID{Kind: document.KindEpoch, Key: document.EpochKey}
