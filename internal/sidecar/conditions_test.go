package sidecar

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
)

// wellSince returns the facts of a sidecar that has followed its log for a minute and lacks nothing.
func wellSince(now time.Time) facts {
	return facts{
		now:       now,
		source:    cache.SourceLive,
		following: now.Add(-time.Minute),
		log: follow.Status{
			Connected: true, Synced: true, Head: 9, Received: 9, Applied: changelog.Position{Revision: 9},
			LastHeartbeat: now.Add(-time.Second), LastConfirmed: now.Add(-time.Second), Age: time.Second, AgeKnown: true,
		},
	}
}

func TestConditions(t *testing.T) {
	now := time.Unix(1000, 0)
	failure := errors.New("a failure")
	cases := []struct {
		name  string
		spoil func(*facts)
		want  []health.Code
	}{
		{"all is well", func(*facts) {}, nil},
		{"not followed yet", func(f *facts) { f.following, f.log, f.source = time.Time{}, follow.Status{}, cache.SourceDisk }, []health.Code{health.ServingFromDisk}},
		{"nothing known", func(f *facts) { f.unusable = resolver.ErrNotReady }, []health.Code{health.NotReady}},
		{"from disk", func(f *facts) { f.source = cache.SourceDisk }, []health.Code{health.ServingFromDisk}},
		{"from the file", func(f *facts) { f.source = cache.SourceBootstrap }, []health.Code{health.ServingFromBootstrap}},
		{"disk full", func(f *facts) {
			f.disk = []cache.Condition{{Code: cache.CodeDiskBehind, Detail: "a"}, {Code: cache.CodeDiskUnavailable, Detail: "b"}}
		}, []health.Code{health.DiskUnwritable}},
		{"disk damaged", func(f *facts) { f.disk = []cache.Condition{{Code: cache.CodeDiskDamaged}} }, []health.Code{health.DiskQuarantined}},
		{"a flag that errs", func(f *facts) { f.erring = []erring{{key: "a", parse: 1, last: now}} }, []health.Code{health.FlagErrors}},
		{"a flag that has erred long ago", func(f *facts) { f.erring = []erring{{key: "a", parse: 1, last: now.Add(-time.Hour)}} }, nil},
		{"a flag that does not compile", func(f *facts) { f.problems = make(eval.Problems, 7) }, []health.Code{health.FlagKeptLastGood}},
		{"a server without accounts", func(f *facts) { f.unguarded = true }, []health.Code{health.NATSWithoutAccounts}},
		{"not connected", func(f *facts) { f.log.Connected = false }, []health.Code{health.LogUnreachable, health.ServingFromMemory}},
		{"no answer", func(f *facts) { f.log.LastError = fmt.Errorf("x: %w", flagsync.ErrUnreachable) }, []health.Code{health.LogUnreachable}},
		{"another failure", func(f *facts) { f.log.LastError = failure }, nil},
		{"a stream that never was", func(f *facts) {
			f.log, f.source = follow.Status{Connected: true, StreamMissing: true}, cache.SourceEmpty
		}, []health.Code{health.EnvironmentUnknown}},
		{"a stream that never was, and reads without an answer", func(f *facts) {
			f.log, f.source = follow.Status{Connected: true, StreamMissing: true, LastError: flagsync.ErrUnreachable}, cache.SourceEmpty
		}, []health.Code{health.EnvironmentUnknown}},
		{"a stream that is gone", func(f *facts) { f.log.StreamMissing = true }, []health.Code{health.StreamLost}},
		{"silence", func(f *facts) { f.log.LastHeartbeat = now.Add(-4 * time.Second) }, []health.Code{health.PublisherSilent}},
		{"never a beat", func(f *facts) { f.log.LastHeartbeat = time.Time{} }, []health.Code{health.PublisherSilent}},
		{"no beat yet", func(f *facts) { f.log.LastHeartbeat, f.following = time.Time{}, now }, nil},
		{"a change on its way", func(f *facts) { f.log.Head = 10 }, nil},
		{"a change that does not come", func(f *facts) { f.log.Head, f.log.Age = 10, 3*time.Second }, []health.Code{health.LogBehind}},
		{"another history", func(f *facts) { f.log.DifferentHistory = failure }, []health.Code{health.DifferentHistory}},
		{"an older log", func(f *facts) { f.log.DifferentHistory = follow.ErrRegressed }, []health.Code{health.LogRegressed}},
		{"another branch", func(f *facts) { f.log.DifferentHistory = follow.ErrForked }, []health.Code{health.LogForked}},
		{"half of an epoch", func(f *facts) { f.log.DifferentHistory = follow.ErrIncomplete }, []health.Code{health.EpochIncomplete}},
		{"a hole", func(f *facts) { f.log.Hole = failure }, []health.Code{health.LogHole}},
		{"an entry of the future", func(f *facts) { f.log.Unreadable = failure }, []health.Code{health.EntryUnreadable}},
		{"another state", func(f *facts) { f.log.DifferentState = failure }, []health.Code{health.DifferentState}},
		{"foreign messages", func(f *facts) {
			f.log.Foreign = flagsync.Foreign{Messages: 1, Last: []flagsync.Sequence{{First: 5, Last: 5}}, Since: now.Add(-time.Hour)}
		}, []health.Code{health.ForeignMessages}},
		{"foreign messages, long ago", func(f *facts) {
			f.log.Foreign = flagsync.Foreign{Messages: 1, Last: []flagsync.Sequence{{First: 5, Last: 5}}, Since: now.Add(-time.Hour - 1)}
		}, nil},
		{"a log of another installation", func(f *facts) { f.log.Unsigned = 7 }, []health.Code{health.LogUnsigned}},
		{"heartbeats of yesterday", func(f *facts) { f.log.Skew = -24 * time.Hour }, []health.Code{health.HeartbeatsOld}},
		{"heartbeats of tomorrow", func(f *facts) { f.log.Skew = oldLimit + 1 }, []health.Code{health.HeartbeatsOld}},
		{"heartbeats on their way", func(f *facts) { f.log.Skew = -oldLimit }, nil},
		{"a fragment", func(f *facts) { f.log.Fragments = 1 }, []health.Code{health.FragmentDropped}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := wellSince(now)
			c.spoil(&f)
			if diff := cmp.Diff(c.want, slices.Sorted(maps.Keys(conditions(&f)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// contradictions are sets of conditions of which no two can be true at once.
func contradictions() [][]health.Code {
	return [][]health.Code{
		{health.NotReady, health.ServingFromMemory, health.ServingFromDisk, health.ServingFromBootstrap}, // where answers come from
		{health.ServingFromMemory, health.DifferentState},                                                // why memory is not live
		{health.LogUnreachable, health.StreamLost, health.EnvironmentUnknown, health.PublisherSilent},    // whether the log can be asked
		{health.StreamLost, health.EnvironmentUnknown, health.EnvironmentArchived},
		{health.DifferentHistory, health.LogRegressed, health.LogForked, health.EpochIncomplete, health.StreamLost, health.EnvironmentUnknown},
		{health.LogHole, health.StreamLost, health.EnvironmentUnknown},
		{health.EntryUnreadable, health.StreamLost, health.EnvironmentUnknown},
		{health.LogUnsigned, health.StreamLost, health.EnvironmentUnknown},
		{health.LogBehind, health.StreamLost, health.EnvironmentUnknown},
	}
}

// Whatever combination of facts there is, no two conditions contradict each other, and the serving state is that of the conditions.
func TestConditionsNeverContradictEachOther(t *testing.T) {
	now := time.Unix(1000, 0)
	failure := errors.New("a failure")
	spoil := []func(*facts){
		func(f *facts) { f.unusable = failure },
		func(f *facts) { f.following = time.Time{} },
		func(f *facts) { f.log.Connected = false },
		func(f *facts) { f.log.StreamMissing = true },
		func(f *facts) { f.log.Applied = changelog.Position{} },
		func(f *facts) { f.log.LastError = flagsync.ErrUnreachable },
		func(f *facts) { f.log.LastHeartbeat = now.Add(-time.Minute) },
		func(f *facts) { f.log.Age = time.Minute },
		func(f *facts) { f.log.Archived = now },
		func(f *facts) { f.log.Head = 99 },
		func(f *facts) { f.log.DifferentState = failure },
		func(f *facts) { f.log.Hole, f.log.Unreadable, f.log.Unsigned = failure, failure, 7 },
		func(f *facts) { f.log.DifferentHistory = follow.ErrForked },
	}
	served := map[servingState]health.Code{
		servingMemory: health.ServingFromMemory, servingDisk: health.ServingFromDisk, servingBootstrap: health.ServingFromBootstrap,
	}
	for _, source := range []cache.Source{cache.SourceLive, cache.SourceDisk, cache.SourceBootstrap, cache.SourceEmpty} {
		for combination := range 1 << len(spoil) {
			f := wellSince(now)
			if f.source = source; source == cache.SourceEmpty {
				f.unusable = resolver.ErrNotReady
			}
			for i, one := range spoil {
				if combination&(1<<i) != 0 {
					one(&f)
				}
			}
			active := conditions(&f)
			for _, set := range contradictions() {
				both := slices.DeleteFunc(set, func(code health.Code) bool { _, is := active[code]; return !is })
				if len(both) > 1 {
					t.Fatalf("source %s, combination %b: %v contradict each other", source, combination, both)
				}
			}
			for state, code := range served {
				if _, is := active[code]; is && f.serving() != state {
					t.Fatalf("source %s, combination %b: %s while the serving state is %s", source, combination, code, f.serving())
				}
			}
		}
	}
}

// What is foreign is found in the stream by its sequences, and what is trusted in the trust file.
func TestDetailsOfWhatIsNotSigned(t *testing.T) {
	f := wellSince(time.Unix(1000, 0))
	f.installation = "0123456789abcdef0123456789abcdef"
	f.log.Foreign = flagsync.Foreign{Messages: 12, Last: []flagsync.Sequence{{First: 3, Last: 3}, {First: 7, Last: 17}}, Since: f.now}
	f.log.Unsigned = 17
	f.log.Skew = -90 * time.Second
	all := conditions(&f)
	for code, want := range map[health.Code]string{
		health.ForeignMessages: "12 since the start, the last at 3, 7 to 17",
		health.LogUnsigned:     "none of the 17 messages in the log is signed by the installation " + f.installation + ", which is trusted here",
		health.HeartbeatsOld:   "the last one is 1m30s from the clock of this machine",
	} {
		if all[code] != want {
			t.Errorf("%s: %q, want %q", code, all[code], want)
		}
	}
}

// Every condition that a sidecar reports has its sentence.
func TestConditionsAreInTheCatalogue(t *testing.T) {
	known := make(map[health.Code]bool)
	for _, condition := range health.Catalogue() {
		known[condition.Code] = true
	}
	f := wellSince(time.Unix(1000, 0))
	f.unusable = resolver.ErrNotReady
	f.log.DifferentHistory, f.log.Hole, f.log.Unreadable, f.log.DifferentState = f.unusable, f.unusable, f.unusable, f.unusable
	f.log.Fragments, f.log.Unsigned, f.log.Skew = 1, 1, time.Hour
	f.log.Foreign = flagsync.Foreign{Messages: 1, Since: f.now}
	for code := range conditions(&f) {
		if !known[code] {
			t.Errorf("%s is not in the catalogue", code)
		}
	}
}
