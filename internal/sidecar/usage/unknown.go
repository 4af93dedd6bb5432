package usage

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Bounds of what is kept of flags that do not exist. What is beyond them is counted together.
const (
	maxUnknownKeys = 200
	maxUnknownKey  = 256 // bytes
)

// unknownKeys counts requests for flags that do not exist, by key.
type unknownKeys struct {
	byKey  atomic.Pointer[map[string]*counter] // replaced, never modified
	others atomic.Uint64

	mu   sync.Mutex // held while byKey is replaced
	lost []*counter // that were given up too early, with keys; guarded by mu
	keys []string   // of lost
}

func newUnknownKeys() *unknownKeys {
	u := new(unknownKeys)
	u.byKey.Store(new(map[string]*counter))
	return u
}

func (u *unknownKeys) add(key []byte) { u.addMany(key, 1) }

func (u *unknownKeys) addMany(key []byte, n uint64) {
	one, ok := (*u.byKey.Load())[string(key)]
	if !ok {
		one = u.insert(key)
	}
	if one == nil {
		u.others.Add(n)
		return
	}
	if !one.add(n) {
		u.keep(string(key), one)
	}
}

// insert returns the counter for a key that was not there a moment ago, nil if there is no room for it.
func (u *unknownKeys) insert(key []byte) *counter {
	if len(key) > maxUnknownKey {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	known := *u.byKey.Load()
	if one, ok := known[string(key)]; ok || len(known) >= maxUnknownKeys {
		return one
	}
	next := maps.Clone(known)
	if next == nil {
		next = make(map[string]*counter)
	}
	one := new(counter)
	one.kept.Store(true)
	next[string(key)] = one
	u.byKey.Store(&next)
	return one
}

// keep makes sure that what was counted is collected all the same.
func (u *unknownKeys) keep(key string, one *counter) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lost, u.keys = append(u.lost, one), append(u.keys, key)
}

// collect returns what was counted since the last time, and how many requests there were for other keys.
func (u *unknownKeys) collect() (byKey map[string]uint64, others uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	byKey = make(map[string]uint64)
	next := maps.Clone(*u.byKey.Load())
	for key, one := range next {
		n, idle := one.collect()
		if idle {
			delete(next, key)
			n += one.giveUp()
		}
		byKey[key] += n
	}
	for i, one := range u.lost {
		byKey[u.keys[i]] += one.n.Swap(0)
	}
	u.lost, u.keys = nil, nil
	u.byKey.Store(&next)
	maps.DeleteFunc(byKey, func(_ string, n uint64) bool { return n == 0 })
	return byKey, u.others.Swap(0)
}
