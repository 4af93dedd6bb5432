package listen

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Places are a bounded number of places for what lasts: connections, or streams. Create them with NewPlaces. Safe for concurrent use.
//
// Another machine has its share of them, as with Shares. When no place is left, a newcomer that has fewer than another holder gets a place of the
// holder that has most, namely the one that was not used for longest. Where clients cannot be told apart they are one holder, and a newcomer gets
// the place that they have not used for longest, if it is idle.
type Places struct {
	places, share int
	idle          time.Duration
	begun         time.Time

	mu    sync.Mutex // guards what follows
	taken int
	held  map[Holder][]*Place
}

// Place is a place that is taken.
type Place struct {
	places *Places
	holder Holder
	end    func()
	used   atomic.Int64 // when it was used last, in nanoseconds after the places were made
}

// NewPlaces returns a number of places, of which another machine may have a quarter, and all if there are 16 or fewer. A place is idle that was not
// used for a time; 0 means that all are.
func NewPlaces(places int, idle time.Duration) *Places {
	return &Places{places: places, share: shareOf(places), idle: idle, begun: time.Now(), held: make(map[Holder][]*Place)}
}

// now returns the time for the use of places.
func (p *Places) now() int64 { return int64(time.Since(p.begun)) }

// Taken returns how many places are taken.
func (p *Places) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// Take gives a holder a place, if there is one for it. end is called once if another holder gets the place before it is released; it must not
// wait for anything.
func (p *Places) Take(h Holder, end func()) (place *Place, ok bool) {
	place = &Place{places: p, holder: h, end: end}
	place.Use()
	displaced, ok := p.take(place)
	if displaced != nil {
		displaced.end()
	}
	return place, ok
}

func (p *Places) take(place *Place) (displaced *Place, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := place.holder; !h.local && len(p.held[h]) >= p.share {
		return nil, false
	}
	if p.taken >= p.places {
		if displaced = p.displaceable(place.holder); displaced == nil {
			return nil, false
		}
		p.remove(displaced)
	}
	p.taken++
	p.held[place.holder] = append(p.held[place.holder], place)
	return displaced, true
}

// displaceable returns the place that a newcomer may have, or nil.
func (p *Places) displaceable(h Holder) *Place {
	has, most := len(p.held[h]), 0
	var candidate *Place
	for _, held := range p.held {
		oldest := longestUnused(held)
		if len(held) > most || len(held) == most && oldest.used.Load() < candidate.used.Load() {
			most, candidate = len(held), oldest
		}
	}
	switch {
	case has+1 < most, has == 0 && h.local:
		return candidate
	case has == 0 || !h.several:
		return nil
	}
	if own := longestUnused(p.held[h]); p.now()-own.used.Load() >= int64(p.idle) {
		return own
	}
	return nil
}

func longestUnused(held []*Place) *Place {
	return slices.MinFunc(held, func(a, b *Place) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
}

func (p *Places) remove(place *Place) {
	held := p.held[place.holder]
	i := slices.Index(held, place)
	if i < 0 {
		return
	}
	p.taken--
	if held = slices.Delete(held, i, i+1); len(held) == 0 {
		delete(p.held, place.holder)
		return
	}
	p.held[place.holder] = held
}

// Use notes that a place is in use.
func (p *Place) Use() { p.used.Store(p.places.now()) }

// Release gives a place back. It may be called again, and after another holder got the place.
func (p *Place) Release() {
	p.places.mu.Lock()
	defer p.places.mu.Unlock()
	p.places.remove(p)
}
