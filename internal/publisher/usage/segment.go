package usage

import (
	"math"
	"unique"

	"github.com/flagside/flagside/sync/usage"
)

// Room in a segment. Series that tell less have some of their own.
const (
	MaxSeries   = 20_000
	maxLumped   = 5_000
	maxNotFound = 2_000
	// maxText is how many bytes the names in a segment may have, of those above.
	maxText = 4 << 20
)

// OtherApplication is the application of series that there was no room for.
const OtherApplication = "other"

// Series is what evaluations are told apart by. The zero value stands for all that there was no room for.
type Series struct {
	Flag     string `json:"f,omitzero"`
	Revision string `json:"r,omitzero"` // of the flag, <epoch8>-<revision>; of flags that never were in a log only the number
	Variant  string `json:"v,omitzero"` // empty if the default of the application applied
	Reason   string `json:"e,omitzero"`
	Code     string `json:"c,omitzero"` // of an error
	Rule     int    `json:"u,omitzero"` // the number of the rule that answered, from 1; 0 if none did
	// Application asked, and Release is its version; empty if it is not known.
	Application string `json:"a,omitzero"`
	Release     string `json:"l,omitzero"`
	Bulk        bool   `json:"b,omitzero"` // in answers for all flags at once
}

// lumped returns a series that tells less.
func (s Series) lumped() Series {
	return Series{Flag: s.Flag, Variant: s.Variant, Reason: s.Reason, Code: s.Code, Application: OtherApplication, Bulk: s.Bulk}
}

func (s Series) text() int {
	return len(s.Flag) + len(s.Revision) + len(s.Variant) + len(s.Reason) + len(s.Code) + len(s.Application) + len(s.Release)
}

// interned returns the series with names that share memory with equal ones.
func (s Series) interned() Series {
	for _, text := range []*string{&s.Flag, &s.Revision, &s.Variant, &s.Reason, &s.Code, &s.Application, &s.Release} {
		*text = unique.Make(*text).Value()
	}
	return s
}

// NotFound is a flag that an application asked for and that does not exist.
type NotFound struct {
	Key         string `json:"k"`
	Application string `json:"a,omitzero"`
}

// Segment has the counts of one minute, hour or day. Create it with NewSegment.
type Segment struct {
	Series map[Series]uint64
	// NotFound has how often flags were asked for that do not exist, and NotFoundOthers how often such that there was no room to name.
	NotFound       map[NotFound]uint64
	NotFoundOthers uint64
	// Lost is what sidecars counted and could not keep.
	Lost usage.Lost

	lumped int // series that tell less
	text   int // bytes of names
}

// NewSegment returns a segment without counts.
func NewSegment() *Segment {
	return &Segment{Series: make(map[Series]uint64), NotFound: make(map[NotFound]uint64)}
}

// Sum returns how many evaluations the segment has.
func (s *Segment) Sum() (n uint64) {
	for _, one := range s.Series {
		n = plus(n, one)
	}
	return n
}

// add counts evaluations, where there is room.
func (s *Segment) add(one Series, n uint64) {
	for _, x := range []Series{one, one.lumped(), {}} {
		if _, known := s.Series[x]; known || s.room(x) {
			s.put(x, n)
			return
		}
	}
}

// put counts evaluations, whether there is room or not.
func (s *Segment) put(x Series, n uint64) {
	before, known := s.Series[x]
	if !known {
		x = x.interned()
		s.text += x.text()
		if x == x.lumped() {
			s.lumped++
		}
	}
	s.Series[x] = plus(before, n)
}

// room reports whether a series can be added that is not there.
func (s *Segment) room(x Series) bool {
	switch {
	case x == Series{}:
		return true
	case s.text+x.text() > maxText:
		return false
	case x == x.lumped():
		return s.lumped < maxLumped
	default:
		return len(s.Series)-s.lumped < MaxSeries
	}
}

// addNotFound counts requests for a flag that does not exist.
func (s *Segment) addNotFound(x NotFound, n uint64) {
	before, known := s.NotFound[x]
	if !known && (len(s.NotFound) >= maxNotFound || s.text+len(x.Key)+len(x.Application) > maxText) {
		s.NotFoundOthers = plus(s.NotFoundOthers, n)
		return
	}
	s.putNotFound(x, plus(before, n))
}

func (s *Segment) putNotFound(x NotFound, n uint64) {
	if _, known := s.NotFound[x]; !known {
		s.text += len(x.Key) + len(x.Application)
	}
	s.NotFound[x] = n
}

// addLost counts what was lost.
// addLost adds lost counts. Exposures and outcomes are in no segment, nor are lost ones.
func (s *Segment) addLost(l usage.Lost) {
	s.Lost = sumOf(s.Lost, usage.Lost{Reports: l.Reports, Evaluations: l.Evaluations})
}

func sumOf(a, b usage.Lost) usage.Lost {
	return usage.Lost{
		Reports: plus(a.Reports, b.Reports), Evaluations: plus(a.Evaluations, b.Evaluations),
		Exposures: plus(a.Exposures, b.Exposures), Outcomes: plus(a.Outcomes, b.Outcomes),
	}
}

// plus adds, and stays at the largest number: a report can claim any.
func plus(a, b uint64) uint64 {
	if b > math.MaxUint64-a {
		return math.MaxUint64
	}
	return a + b
}
