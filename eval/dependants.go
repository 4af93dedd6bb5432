package eval

import "slices"

// dependants says which flags depend on a document: by dependency, their keys in order. An update costs time in proportion to the
// dependants of what it changes.
type dependants struct{ keys *sharded[[]string] }

func newDependants() dependants { return dependants{newSharded[[]string]()} }

// of returns the keys of the flags that depend on a document. The slice is shared and must not be modified.
func (d dependants) of(id string) []string { return d.keys.get(id) }

// with returns the dependants after some flags have changed.
func (d dependants) with(before *flagStore, changes map[string]*Flag) dependants {
	added, removed := make(map[string][]string), make(map[string][]string)
	for key, f := range changes {
		var were, are []string
		if old := before.get(key); old != nil {
			were = old.requires
		}
		if f != nil {
			are = f.requires
		}
		difference(are, were, key, added)
		difference(were, are, key, removed)
	}
	next := make(map[string][]string)
	for id := range removed {
		next[id] = without(d.of(id), removed[id])
	}
	for id := range added {
		keys, ok := next[id]
		if !ok {
			keys = d.of(id)
		}
		next[id] = compact(slices.Concat(keys, added[id]))
	}
	if len(next) == 0 {
		return d
	}
	return dependants{d.keys.with(next, func(keys []string) bool { return len(keys) == 0 })}
}

// difference adds key to the entry of every id that is in a but not in b. Both are in order.
func difference(a, b []string, key string, into map[string][]string) {
	for _, id := range a {
		if _, found := slices.BinarySearch(b, id); !found {
			into[id] = append(into[id], key)
		}
	}
}

// without returns the keys, which are in order, that are not among some others.
func without(keys, others []string) []string {
	slices.Sort(others)
	kept := make([]string, 0, len(keys))
	for _, key := range keys {
		if _, found := slices.BinarySearch(others, key); !found {
			kept = append(kept, key)
		}
	}
	return kept
}
