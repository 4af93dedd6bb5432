package eval

import (
	"slices"
	"strings"

	"github.com/flagside/flagside/document"
)

// dependants says which flags depend on a document: their keys in order, by the key of the document. An update costs time in proportion
// to the dependants of what it changes.
type dependants struct{ onFlags, onSegments *sharded[[]string] }

func newDependants() dependants {
	return dependants{onFlags: newSharded[[]string](), onSegments: newSharded[[]string]()}
}

// of returns the keys of the flags that depend on a flag or a segment. The slice is shared and must not be modified.
func (d dependants) of(id document.ID) []string {
	if id.Kind == document.KindSegment {
		return d.onSegments.get(id.Key)
	}
	return d.onFlags.get(id.Key)
}

// with returns the dependants after some flags have changed.
func (d dependants) with(before *flagStore, changes map[string]*Flag) dependants {
	added, removed := make(map[document.ID][]string), make(map[document.ID][]string)
	for key, f := range changes {
		var were, are []document.ID
		if old := before.get(key); old != nil {
			were = old.requires()
		}
		if f != nil {
			are = f.requires()
		}
		difference(are, were, key, added)
		difference(were, are, key, removed)
	}
	onFlags, onSegments := make(map[string][]string), make(map[string][]string)
	next := func(id document.ID) map[string][]string {
		if id.Kind == document.KindSegment {
			return onSegments
		}
		return onFlags
	}
	for id, keys := range removed {
		next(id)[id.Key] = without(d.of(id), keys)
	}
	for id, keys := range added {
		key := strings.Clone(id.Key) // it outlives the document that names it
		kept, ok := next(id)[key]
		if !ok {
			kept = d.of(id)
		}
		next(id)[key] = compact(slices.Concat(kept, keys))
	}
	none := func(keys []string) bool { return len(keys) == 0 }
	return dependants{onFlags: d.onFlags.with(onFlags, none), onSegments: d.onSegments.with(onSegments, none)}
}

// difference adds key to the entry of every id that is in a but not in b. Both are in order.
func difference(a, b []document.ID, key string, into map[document.ID][]string) {
	for _, id := range a {
		if _, found := slices.BinarySearchFunc(b, id, document.ID.Compare); !found {
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
