package usage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/status"
)

const (
	// notFoundRoom is how many bytes of a message flags that do not exist may take: clients choose their names.
	notFoundRoom = 128 << 10
	// punctuation is how many bytes of a message are neither what every part has nor counts.
	punctuation = 128
	// maxNumber is how many bytes a number has in JSON, with what separates it from the next.
	maxNumber = 24
)

// Split returns a report as several that are small enough to be sent, each with some of
// the flags. What is not counts is in the first alone, or the same in all. The caller
// numbers them. Names that are too long are cut, control characters in those of flags
// that do not exist are replaced, and of such that there is no room for the least asked
// for are added to the others.
func Split(r Report) ([]Report, error) {
	r.NotFound, r.NotFoundOthers = named(r.NotFound, r.NotFoundOthers)
	s := splitting{follower: follower(r)}
	first := r
	first.Flags, first.Other, first.Exposures, first.Outcomes = nil, nil, nil, nil
	if err := s.begin(first); err != nil {
		return nil, err
	}
	for _, c := range shortened(r.Other) {
		if err := s.addOther(c); err != nil {
			return nil, err
		}
	}
	for _, f := range r.Flags {
		f.Key, f.Counts = status.Cut(f.Key, maxKey), shortened(f.Counts)
		if err := s.addFlag(f); err != nil {
			return nil, err
		}
	}
	for _, e := range r.Exposures {
		if err := s.addExposure(e); err != nil {
			return nil, err
		}
	}
	for _, o := range r.Outcomes {
		if err := s.addOutcome(o); err != nil {
			return nil, err
		}
	}
	return s.parts, nil
}

// splitting is a report that is being split.
type splitting struct {
	follower Report
	parts    []Report
	size     int // bytes of the last part, at most
}

// begin begins a part with what it has beside counts.
func (s *splitting) begin(part Report) error {
	size, err := sizeOf(part)
	s.parts, s.size = append(s.parts, part), size+punctuation
	return err
}

// addOther adds a count without a flag.
func (s *splitting) addOther(c Count) error {
	size, err := sizeOf(c)
	if err != nil {
		return err
	}
	last, err := s.room(size)
	if err == nil {
		last.Other = append(last.Other, c)
	}
	return err
}

// addFlag adds a flag, in several pieces if it is large.
func (s *splitting) addFlag(f Flag) error {
	size, err := sizeOf(f)
	if err != nil {
		return err
	}
	if len(f.Counts) > 1 && size > MaxBytes/2 {
		for _, half := range halves(f) {
			if err := s.addFlag(half); err != nil {
				return err
			}
		}
		return nil
	}
	last, err := s.room(size)
	if err == nil {
		last.Flags = append(last.Flags, f)
	}
	return err
}

// addExposure adds an exposure.
func (s *splitting) addExposure(e Exposure) error {
	e.Flag, e.Variant = status.Cut(e.Flag, maxKey), status.Cut(e.Variant, maxVariant)
	size, err := sizeOf(e)
	if err != nil {
		return err
	}
	last, err := s.room(size)
	if err == nil {
		last.Exposures = append(last.Exposures, e)
	}
	return err
}

// addOutcome adds an outcome. Its names were held against the limits when it was accepted.
func (s *splitting) addOutcome(o Outcome) error {
	size, err := sizeOf(o)
	if err != nil {
		return err
	}
	last, err := s.room(size)
	if err == nil {
		last.Outcomes = append(last.Outcomes, o)
	}
	return err
}

// room returns the part to add something to: the last one, or one more if there is no room in it.
func (s *splitting) room(size int) (last *Report, err error) {
	size++ // a comma
	if s.size+size > MaxBytes {
		err = s.begin(s.follower)
	}
	s.size += size
	return &s.parts[len(s.parts)-1], err
}

// sizeOf returns how many bytes something has in a message.
func sizeOf(part any) (int, error) {
	data, err := json.Marshal(part)
	if err != nil {
		return 0, fmt.Errorf("usage report: %w", err)
	}
	return len(data), nil
}

// follower returns a part of a report that has nothing of its own yet. The clients that evaluate by themselves are in every part: the last one tells
// who is there now.
func follower(r Report) Report {
	r.Flags, r.Other, r.NotFound, r.NotFoundOthers, r.Unchanged, r.Lost = nil, nil, nil, 0, 0, Lost{}
	r.Exposures, r.Outcomes = nil, nil
	return r
}

// halves divides the counts of a flag. One count is always small enough.
func halves(f Flag) []Flag {
	a, b := f, f
	middle := len(f.Counts) / 2
	a.Counts, b.Counts = f.Counts[:middle], f.Counts[middle:]
	return []Flag{a, b}
}

// shortened returns counts with names that are not too long, and can be encoded.
func shortened(counts []Count) []Count {
	all := make([]Count, 0, len(counts))
	for _, c := range counts {
		c.Variant = status.Cut(c.Variant, maxVariant)
		all = append(all, c)
	}
	return all
}

// named returns the flags that do not exist and were asked for most, as many as there is room for, and how often others were asked for.
func named(notFound map[string]uint64, others uint64) (map[string]uint64, uint64) {
	all := make(map[string]uint64, len(notFound))
	for key, n := range notFound {
		all[status.Cut(status.Plain(key), maxKey)] += n
	}
	var few map[string]uint64
	room := notFoundRoom
	for _, key := range slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(all[b], all[a]), cmp.Compare(a, b))
	}) {
		room -= 2*len(key) + maxNumber // quotation marks and backslashes take two bytes
		if room < 0 || len(few) == MaxNotFound {
			others += all[key]
			continue
		}
		if few == nil {
			few = make(map[string]uint64)
		}
		few[key] = all[key]
	}
	return few, others
}
