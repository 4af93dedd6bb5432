package usage

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/status"
)

// frame is how many bytes of a message are kept for all that is not counts of flags.
const frame = 128 << 10

// Split returns a report as several that are small enough to be sent, each with some of
// the flags. All but flags and numbers is in the first alone, or the same in all. The
// caller numbers them. Names that are too long are cut.
func Split(r Report) ([]Report, error) {
	rest := shortened(r.Flags)
	first := r
	first.Flags = nil
	all, size := []Report{first}, 0
	for len(rest) > 0 {
		data, err := json.Marshal(rest[0])
		if err != nil {
			return nil, fmt.Errorf("usage report: %w", err)
		}
		if len(data) > MaxBytes-frame {
			rest = append(halves(rest[0]), rest[1:]...)
			continue
		}
		if size += len(data) + 1; size > MaxBytes-frame {
			all, size = append(all, follower(r)), len(data)+1
		}
		last := &all[len(all)-1]
		last.Flags, rest = append(last.Flags, rest[0]), rest[1:]
	}
	return all, nil
}

// follower returns a part of a report that has nothing of its own yet.
func follower(r Report) Report {
	r.Flags, r.Other, r.NotFound, r.NotFoundOthers, r.Unknown, r.Unchanged, r.Lost = nil, nil, nil, 0, nil, 0, Lost{}
	return r
}

// halves divides the counts of a flag. One count is always small enough.
func halves(f Flag) []Flag {
	a, b := f, f
	middle := len(f.Counts) / 2
	a.Counts, b.Counts = f.Counts[:middle], f.Counts[middle:]
	return []Flag{a, b}
}

// shortened returns flags with names that are not too long, and can be encoded.
func shortened(flags []Flag) []Flag {
	all := make([]Flag, 0, len(flags))
	for _, f := range flags {
		counts := make([]Count, 0, len(f.Counts))
		for _, c := range f.Counts {
			c.Variant = status.Cut(c.Variant, maxVariant)
			counts = append(counts, c)
		}
		f.Key, f.Counts = status.Cut(f.Key, maxKey), counts
		all = append(all, f)
	}
	return all
}
