package flagsync_test

import (
	"fmt"

	"github.com/flagside/flagside/sync/changelog"
)

// has reports whether the log has an entry.
func (w *world) has(revision int) bool {
	return revision > 0 && revision <= len(w.records) && !w.lost[revision]
}

// writable reports whether a publisher writes to the log: not while there is
// none, and not while its state is not complete.
func (w *world) writable() bool {
	return !w.gone && len(w.records) > 0 && uint64(len(w.records)) >= w.complete()
}

// replaced begins another generation of the log.
func (w *world) replaced() {
	w.generation++
	w.last = nil
	w.noteHead()
}

// truncate takes away what stands after a revision, or all.
func (w *world) truncate(revision int) {
	w.records, w.bodies = w.records[:revision:revision], w.bodies[:revision:revision]
	clear(w.documents)
	for _, r := range w.records {
		w.fold(r)
	}
	for lost := range w.lost {
		if lost > revision {
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
	if len(w.records) > 0 && !w.gone {
		revision := 1 + w.random.IntN(len(w.records))
		for r := w.records[revision-1]; r.Index != r.Count; r = w.records[revision-1] {
			revision--
		}
		if w.has(revision) {
			w.truncate(revision)
		}
	}
	w.mu.Unlock()
	w.wire.cut()
}

// punch takes entries out of the log, which its settings forbid: its beginning,
// some in the middle, or its end, which may be all of it. Servers whose newest
// entry is lost were restarted.
func (w *world) punch() {
	w.mu.Lock()
	if len(w.records) < 3 {
		w.mu.Unlock()
		return
	}
	w.punched = true
	from, end := 1, len(w.records)-1
	if w.chance(50) {
		from = 1 + w.random.IntN(end)
	}
	if w.chance(25) {
		end = len(w.records)
	}
	to := min(end, from+w.random.IntN(len(w.records)-from+1))
	if w.chance(20) {
		from, to = 1, len(w.records) // a head, and nothing else
	}
	for revision := from; revision <= to; revision++ {
		w.lost[revision] = true
	}
	w.mu.Unlock()
	if to == len(w.records) {
		w.wire.cut()
	}
}

// renew begins a new epoch with a state of its own, and completes it or not.
func (w *world) renew(complete bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = false
	epoch, documents := changelog.NewEpoch(), 1+w.random.IntN(4)
	end := uint64(len(w.records) + 1 + documents)
	w.commit(epoch, []changelog.Entry{{Kind: changelog.KindEpoch, Key: changelog.EpochKey, Complete: end}})
	if !complete {
		documents = w.random.IntN(documents)
	}
	for n := range documents {
		w.commit(epoch, []changelog.Entry{{
			Kind: changelog.KindFlag, Key: fmt.Sprint("flag-", n), Put: fmt.Appendf(nil, `{"renewed":%d}`, w.random.IntN(1000)),
		}})
	}
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

// next returns where a follower goes from a position that it has received, or
// why it stays, by the words of the protocol. left are the epochs that it
// was in before.
func (w *world) next(at changelog.Position, left map[changelog.Epoch]bool, holdAtHole bool) (changelog.Position, fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.gone:
		return at, missing
	case len(w.records) == 0 && at.IsZero():
		return at, nothing
	}
	hole, charge := w.charge(at)
	if charge == current {
		if at == w.newest() {
			return at, current
		}
		return w.records[at.Revision].Position(), current
	}
	return w.wayOut(at, left, holdAtHole, hole, charge)
}

// charge says how the log continues a position: the next entry does, or not.
func (w *world) charge(at changelog.Position) (hole uint64, f fate) {
	revision := int(at.Revision)
	switch {
	case revision > len(w.records):
		return 0, regressed
	case revision > 0 && !w.has(revision):
		return at.Revision, holed
	case revision > 0 && w.records[revision-1].Position() != at:
		return 0, forked
	case revision == len(w.records):
		return 0, current
	case !w.has(revision + 1):
		return at.Revision + 1, holed
	case w.records[revision].Renews():
		return 0, different
	}
	return 0, current
}

// wayOut returns the state that is taken over as a whole by who cannot follow.
func (w *world) wayOut(at changelog.Position, left map[changelog.Epoch]bool, holdAtHole bool, hole uint64, charge fate) (changelog.Position, fate) {
	if len(w.records) == 0 {
		return at, regressed
	}
	last := len(w.records)
	newest := w.lastOf("flags.prod.>")
	if newest == 0 { // nothing tells which epoch it is
		return at, charge
	}
	begin := changelog.Record{Entry: changelog.Entry{Epoch: w.records[newest-1].Epoch}}
	if i := w.lastOf("flags.prod." + epochID.Subject()); i > 0 {
		begin = w.records[i-1]
	}
	fresh := begin.Epoch != at.Epoch
	if fresh && charge != holed {
		charge = different
	}
	beginning := uint64(1)
	if begin.Renews() {
		beginning = begin.Revision
	}
	above := max(hole, max(begin.Complete, 1)-1)
	if !at.IsZero() {
		above = max(above, 1)
	}
	switch {
	case fresh && left[begin.Epoch], hole > 0 && holdAtHole && begin.Revision < hole, hole == 0 && !fresh:
		return at, charge
	case hole > 0 && !fresh:
		if p, ok := w.usable(begin.Epoch, above); ok {
			return p, current
		}
		return at, charge
	case uint64(last) < begin.Complete && charge == holed:
		return at, holed
	case uint64(last) < begin.Complete:
		return at, incomplete
	case last == 1 && !begin.Renews() && !at.IsZero():
		return at, charge
	}
	if p, ok := w.usable(begin.Epoch, above); ok {
		return p, current
	}
	for revision := int(beginning); revision <= last; revision++ {
		if !w.has(revision) {
			return at, charge
		}
	}
	return w.newest(), current
}

var epochID = changelog.ID{Kind: changelog.KindEpoch, Key: changelog.EpochKey}
