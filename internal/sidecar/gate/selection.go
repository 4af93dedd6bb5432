package gate

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
)

// target is a flag that is evaluated, and the name of its header field.
type target struct {
	key  []byte
	name string
}

// selection says which flags are evaluated for which path.
type selection struct {
	prefixes []prefixed // the longest first
	every    []target   // of all prefixes, without those that come twice
	tag      string
	tagged   atomic.Pointer[tagged] // of the last view that was asked for
}

type prefixed struct {
	prefix  []byte
	targets []target
}

// tagged are the flags of a view that have the tag.
type tagged struct {
	view    *cache.View
	targets []target
}

func newSelection(o Options) *selection {
	s := &selection{tag: o.Tag}
	for prefix, keys := range o.Flags {
		one := prefixed{prefix: []byte(strings.TrimRight(prefix, "/"))}
		for _, key := range slices.Sorted(strings.SplitSeq(keys, ",")) {
			one.targets = append(one.targets, target{[]byte(key), HeaderName(key)})
		}
		s.prefixes = append(s.prefixes, one)
		s.every = append(s.every, one.targets...)
	}
	slices.SortFunc(s.every, func(a, b target) int { return cmp.Compare(a.name, b.name) })
	s.every = slices.CompactFunc(s.every, func(a, b target) bool { return a.name == b.name })
	slices.SortFunc(s.prefixes, func(a, b prefixed) int {
		return cmp.Or(cmp.Compare(len(b.prefix), len(a.prefix)), bytes.Compare(a.prefix, b.prefix))
	})
	return s
}

// targets returns the flags for the path of a visitor's request, in order of their keys.
func (s *selection) targets(path []byte, view *cache.View) []target {
	if s.tag != "" {
		return s.withTag(view).targets
	}
	for _, one := range s.prefixes {
		if rest, found := bytes.CutPrefix(path, one.prefix); found && (len(rest) == 0 || rest[0] == '/') {
			return one.targets
		}
	}
	return nil
}

// withTag returns the flags of a view that have the tag: the first, by key, that there is room for and that have a header name of their own.
func (s *selection) withTag(view *cache.View) *tagged {
	if known := s.tagged.Load(); known != nil && known.view == view {
		return known
	}
	found := &tagged{view: view}
	names, room := make(map[string]struct{}), maxNames
	for _, flag := range view.Rules().Flags() {
		if !slices.Contains(flag.Tags(), s.tag) {
			continue
		}
		name := HeaderName(flag.Key())
		if _, taken := names[name]; taken || len(found.targets) == MaxFlags || len(name)+len(", ") > room {
			continue
		}
		room -= len(name) + len(", ")
		names[name] = struct{}{}
		found.targets = append(found.targets, target{[]byte(flag.Key()), name})
	}
	s.tagged.Store(found)
	return found
}

// all returns every flag that could be evaluated for some path.
func (s *selection) all(view *cache.View) []target {
	switch {
	case s.tag == "":
		return s.every
	case view == nil:
		return nil
	default:
		return s.withTag(view).targets
	}
}

// known reports whether a result is an answer that can be passed on.
func known(r *eval.Result) bool { return r.Variant != nil && r.ErrorCode == "" }
