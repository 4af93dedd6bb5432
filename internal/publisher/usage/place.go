package usage

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/usage"
)

const (
	// Remembered is how long it is known which reports of a process were folded, after the last.
	Remembered = 80 * time.Hour
	// MaxBoots is how many processes that is known of. Beyond them those are forgotten that were heard of longest ago.
	MaxBoots = 20_000
	// MaxDelay is how long before its arrival a report may end; one that says to have ended earlier counts as that.
	MaxDelay = 72 * time.Hour
)

// Place tells what was folded: it is written together with the segments, so that it is always true.
type Place struct {
	// Source names the stream of the reports, and Covered is the sequence up to which they were folded.
	Source  string `json:"source"`
	Covered uint64 `json:"covered"`
	// Since is when the first report was folded, and Until when the last came that was.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Boots has the processes whose reports were folded.
	Boots map[string]Boot `json:"boots,omitempty"`

	Reports    uint64 `json:"reports,omitzero"`    // that were folded
	Duplicates uint64 `json:"duplicates,omitzero"` // that came once more
	Malformed  uint64 `json:"malformed,omitzero"`  // that could not be read
	Missed     uint64 `json:"missed,omitzero"`     // that the stream had removed before they were folded, as far as it is known
	// Lost is what sidecars say that they could not keep.
	Lost usage.Lost `json:"lost,omitzero"`

	// UnchangedAt is when clients last kept an answer for all flags that no count tells of.
	UnchangedAt time.Time `json:"unchangedAt,omitzero"`

	// When something was wrong last.
	MalformedAt time.Time `json:"malformedAt,omitzero"`
	MissedAt    time.Time `json:"missedAt,omitzero"`
	LostAt      time.Time `json:"lostAt,omitzero"`
}

// Boot is a process that reports.
type Boot struct {
	N  uint64 `json:"n"` // of its last report that was folded
	At int64  `json:"t"` // when that came, in seconds of Unix time
	// Application is the one that the sidecar is for, and Clients how many evaluate by themselves there.
	Application string `json:"a,omitzero"`
	Clients     int    `json:"c,omitzero"`
}

// forget forgets processes that were not heard of for long.
func (p *Place) forget() {
	horizon := p.Until.Add(-Remembered).Unix()
	maps.DeleteFunc(p.Boots, func(_ string, b Boot) bool { return b.At < horizon })
	if len(p.Boots) <= MaxBoots {
		return
	}
	oldest := slices.SortedFunc(maps.Keys(p.Boots), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.Boots[a].At, p.Boots[b].At), cmp.Compare(a, b))
	})
	for _, boot := range oldest[:len(oldest)-MaxBoots] {
		delete(p.Boots, boot)
	}
}

// ClientsNow returns how many clients evaluate by themselves, by application, as the reports of the last minutes say.
func (p *Place) ClientsNow() map[string]int {
	all := make(map[string]int)
	for _, b := range p.Boots {
		if b.Clients > 0 && p.Until.Unix()-b.At <= int64(present/time.Second) {
			all[b.Application] += b.Clients
		}
	}
	return all
}

// present is how long a process without a new report is taken to be there: it sends one at least every 72 seconds.
const present = 5 * time.Minute
