package sinks

import (
	"context"
	"fmt"
	"time"

	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
	"github.com/flagside/flagside/sync/series"
	"github.com/flagside/flagside/sync/usage"
)

// The bounds of a parcel. One report more than these is never in memory.
const (
	maxReports = 1024    // less than a place may be behind
	maxBytes   = 8 << 20 // of reports as they were sent
	maxRows    = 100_000
)

// parcel is the reports of one stream from a sequence to another. The same place makes the same parcel at every publisher.
type parcel struct {
	source    string // of the stream
	from, to  uint64
	tables    *rows.Tables
	malformed uint64
}

// name returns what files of a parcel are called: by the stream and the sequences that they are made of.
func (p *parcel) name() string {
	made := "unknown"
	if at, err := time.Parse(time.RFC3339Nano, p.source); err == nil {
		made = at.UTC().Format("20060102T150405Z")
	}
	return fmt.Sprintf("%s-%010d-%010d", made, p.from, p.to)
}

// gathering is a parcel as it becomes, report after report.
type gathering struct {
	parcel  *parcel
	every   time.Duration
	wanted  []rows.Series
	window  time.Time // at which reports begin to be gathered
	first   time.Time // when its first report came
	covered uint64
	reports int
	bytes   int
	rows    int
}

func gatherFrom(source string, floor uint64, every time.Duration, wanted []rows.Series) *gathering {
	return &gathering{
		parcel: &parcel{source: source, from: floor + 1, to: floor, tables: rows.New()}, every: every, wanted: wanted, covered: floor,
	}
}

// add adds the next report. It returns false if that belongs to the next parcel, and this one is complete.
func (g *gathering) add(r series.Report) bool {
	decoded, err := usage.Decode(r.Data)
	size := 0
	if err == nil {
		size = rows.Size(&decoded)
	}
	switch {
	case g.reports == 0:
		g.first, g.window = r.Received, r.Received.Truncate(g.every)
	case !r.Received.Truncate(g.every).Equal(g.window), g.reports == maxReports, g.bytes+len(r.Data) > maxBytes, g.rows+size > maxRows:
		return false
	}
	g.covered, g.parcel.to = r.Sequence, r.Sequence
	g.reports++
	g.bytes += len(r.Data)
	g.rows += size
	if err != nil {
		g.parcel.malformed++
		return true
	}
	g.parcel.tables.Add(&decoded, r.Received, g.wanted)
	return true
}

// end returns when a parcel is complete to which nothing is added any more by its size.
func (g *gathering) end(grace time.Duration) time.Time { return g.window.Add(g.every).Add(grace) }

// gather reads the next parcel behind a place. It returns nil while the parcel is not complete, and until when it is not if nothing else comes; last is how
// far the stream went at a time or later.
func gather(ctx context.Context, store Reports, state series.State, g *gathering, at time.Time, grace time.Duration) (*parcel, time.Time, error) {
	for g.covered < state.Last {
		reports, err := store.Reports(ctx, g.covered, state.Last)
		if err != nil {
			return nil, time.Time{}, err
		}
		if len(reports) == 0 {
			break // the rest was removed
		}
		for _, r := range reports {
			if !g.add(r) {
				return g.parcel, time.Time{}, nil
			}
		}
	}
	if g.reports == 0 || at.Before(g.end(grace)) {
		return nil, g.end(grace), nil
	}
	return g.parcel, time.Time{}, nil
}
