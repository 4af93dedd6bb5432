package sinks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
	"github.com/flagside/flagside/sync/series"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

// stream is one in memory, that gives out a few reports at a time.
type stream []series.Report

func (s stream) State(context.Context) (series.State, error) {
	return series.State{Source: "2026-11-29T12:00:00.5Z", Last: s[len(s)-1].Sequence}, nil
}

func (s stream) Reports(_ context.Context, behind, last uint64) (some []series.Report, err error) {
	for _, r := range s {
		if r.Sequence > behind && r.Sequence <= last && len(some) < 7 {
			some = append(some, r)
		}
	}
	return some, nil
}

// parcels returns the names of all parcels from a sequence on, as a publisher gathers them that looks whenever it likes.
func (s stream) parcels(t *testing.T, random *rand.Rand, floor uint64, every time.Duration) (names []string) {
	t.Helper()
	now := s[0].Received
	for range 1_000_000 {
		seen := slices.IndexFunc(s, func(r series.Report) bool { return r.Received.After(now) })
		if seen < 0 {
			seen = len(s)
		}
		if seen == 0 || s[seen-1].Sequence <= floor {
			if seen == len(s) {
				return names
			}
			now = now.Add(time.Second)
			continue
		}
		state := series.State{Source: "2026-11-29T12:00:00.5Z", Last: s[seen-1].Sequence}
		p, _, err := gather(t.Context(), s, state, gatherFrom(state.Source, floor, every, rows.All()), now, 0)
		if err != nil {
			t.Fatal(err)
		}
		if p != nil {
			names, floor = append(names, p.name()), p.to
		}
		now = now.Add(time.Duration(random.Int64N(int64(2 * every))))
	}
	t.Fatal("it does not end")
	return nil
}

// Whenever publishers look, they cut the stream into the same parcels: those of one that goes on where another has written are those that the other had
// written.
func TestParcelsAreThoseOfTheStream(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	boot := status.NewBoot()
	for range 5 {
		var s stream
		at, sequence := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), random.Uint64N(1000)
		for range 100 {
			at = at.Add(time.Duration(random.Int64N(int64(20 * time.Second))))
			sequence++
			r := report(boot, sequence)
			if random.IntN(10) == 0 { // which fill a parcel
				r.Flags = []usage.Flag{{Key: "f", Counts: make([]usage.Count, 4000)}}
			}
			data, err := usage.Encode(r)
			if err != nil && random.IntN(2) == 0 {
				data = []byte("{")
			}
			s = append(s, series.Report{Sequence: sequence, Received: at, Data: data})
		}
		const every = time.Minute
		want := s.parcels(t, random, s[0].Sequence-1, every)
		for range 3 {
			if got := s.parcels(t, random, s[0].Sequence-1, every); !slices.Equal(got, want) {
				t.Fatalf("got  %v\nwant %v", got, want)
			}
		}
		var made string
		var from, to uint64
		after := random.IntN(len(want) - 1)
		if _, err := fmt.Sscanf(want[after], "%16s-%d-%d", &made, &from, &to); err != nil || made != "20261129T120000Z" {
			t.Fatalf("%s: %v", want[after], err)
		}
		if got := s.parcels(t, random, to, every); !slices.Equal(got, want[after+1:]) {
			t.Errorf("from %d on: got %v, want %v", to, got, want[after+1:])
		}
	}
}

// A parcel is bounded by reports, rows and bytes, whatever comes.
func TestParcelsAreBounded(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	add := func(r usage.Report, n int) (g *gathering, taken int) {
		data, err := usage.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		g = gatherFrom("", 0, time.Hour, nil)
		for taken < n && g.add(series.Report{Sequence: uint64(taken + 1), Received: at, Data: data}) {
			taken++
		}
		return g, taken
	}
	small := usage.Report{Boot: status.NewBoot(), N: 1, From: at, To: at}
	if _, n := add(small, 2000); n != maxReports {
		t.Errorf("%d small reports", n)
	}
	many := small
	many.Flags = []usage.Flag{{Key: "f", Counts: make([]usage.Count, 15_000)}}
	if g, n := add(many, 2000); g.rows > maxRows || n != maxRows/15_000 {
		t.Errorf("%d reports with many rows", n)
	}
	large := small
	for range 1500 {
		large.Flags = append(large.Flags, usage.Flag{Key: fmt.Sprintf("%0250d", 1)})
	}
	if g, n := add(large, 2000); g.bytes > maxBytes || n < 15 {
		t.Errorf("%d large reports: %d bytes", n, g.bytes)
	}
}
