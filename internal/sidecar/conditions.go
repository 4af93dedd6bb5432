package sidecar

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/health/logcondition"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
)

// How long something may last before it is a condition.
const (
	silenceLimit = 3 * time.Second // three beats
	behindLimit  = 2 * time.Second // catching up with a change takes milliseconds
	oldLimit     = time.Minute     // of a heartbeat's time from the clock here
)

// facts are what a sidecar knows about itself at one moment.
type facts struct {
	now          time.Time
	installation string // that is trusted
	unusable     error  // why there is nothing to answer from
	source       cache.Source
	disk         []cache.Condition
	problems     eval.Problems
	erring       []erring          // the flags whose evaluations have failed, those with the newest errors first
	leftOut      map[string]string // the flags that in-process providers do not get, and why
	following    time.Time         // since when the log is followed; zero if it is not yet
	log          follow.Status
	age          age
	link         error // what was last wrong with the connection
	unguarded    bool  // the NATS server keeps sidecars and streams in one account
	reconnects   uint64
	breakers     []follow.Breaker
	keeps        bool // the last known flags are kept on disk

	servingSince time.Time
	dependencies []dependency
}

// found are active conditions with their details.
type found map[health.Code]string

// conditions returns what is wrong.
func conditions(f *facts) found {
	all := make(found)
	all.addServing(f)
	all.addDisk(f)
	all.addProblems(f)
	all.addLeftOut(f)
	if names := namesOf(lately(f.erring, f.now)); names != "" {
		all[health.FlagErrors] = names
	}
	if f.unguarded {
		all[health.NATSWithoutAccounts] = ""
	}
	if !f.following.IsZero() {
		all.addLog(f)
		all.addHistory(f)
	}
	return all
}

// addServing says what answers come from, if that is not what it should be.
func (all found) addServing(f *facts) {
	if f.unusable != nil {
		all[health.NotReady] = f.unusable.Error()
		return
	}
	switch f.serving() {
	case servingDisk:
		all[health.ServingFromDisk] = ""
	case servingBootstrap:
		all[health.ServingFromBootstrap] = ""
	case servingMemory:
		if f.log.DifferentState == nil { // which says more about it
			all[health.ServingFromMemory] = ""
		}
	default:
	}
}

func (all found) addDisk(f *facts) {
	for _, condition := range f.disk {
		code := health.DiskUnwritable
		if condition.Code == cache.CodeDiskDamaged {
			code = health.DiskQuarantined
		}
		all[code] = join(all[code], condition.Detail)
	}
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// addProblems names the documents whose newest version is not served, as far as that can be read.
func (all found) addProblems(f *facts) {
	const most = 5
	if len(f.problems) == 0 {
		return
	}
	var sentences []string
	for _, problem := range f.problems[:min(most, len(f.problems))] {
		sentences = append(sentences, problem.Error())
	}
	if more := len(f.problems) - most; more > 0 {
		sentences = append(sentences, fmt.Sprintf("and %d more", more))
	}
	all[health.FlagKeptLastGood] = strings.Join(sentences, "; ")
}

// addLeftOut names the flags that in-process providers do not get, as far as that can be read.
func (all found) addLeftOut(f *facts) {
	const most = 5
	if len(f.leftOut) == 0 {
		return
	}
	var sentences []string
	for _, key := range slices.Sorted(maps.Keys(f.leftOut))[:min(most, len(f.leftOut))] {
		sentences = append(sentences, fmt.Sprintf("%q: %s", key, f.leftOut[key]))
	}
	if more := len(f.leftOut) - most; more > 0 {
		sentences = append(sentences, fmt.Sprintf("and %d more", more))
	}
	all[health.FlagNotInProcess] = strings.Join(sentences, "; ")
}

// addLog says whether knowledge arrives.
func (all found) addLog(f *facts) {
	switch {
	case !f.log.Connected:
		all[health.LogUnreachable] = reason("there is no connection to NATS", f.link)
		return
	case f.log.StreamMissing && !f.log.Applied.IsZero(): // the leader said so; that reads of the stream fail follows from it
		all[health.StreamLost] = "its stream does not exist any more"
		return
	case f.log.StreamMissing:
		all[health.EnvironmentUnknown] = "its stream does not exist"
		return
	case errors.Is(f.log.LastError, flagsync.ErrUnreachable):
		all[health.LogUnreachable] = f.log.LastError.Error()
	case f.log.Synced && f.now.Sub(latest(f.log.LastHeartbeat, f.following)) > silenceLimit:
		all[health.PublisherSilent] = ""
	}
	if !f.log.Archived.IsZero() {
		all[health.EnvironmentArchived] = "since " + f.log.Archived.UTC().Format(time.RFC3339)
	}
	if f.log.Head > f.log.Applied.Revision && f.log.AgeKnown && f.log.Age > behindLimit {
		all[health.LogBehind] = fmt.Sprintf("revision %d is applied, %d exists", f.log.Applied.Revision, f.log.Head)
	}
}

func reason(what string, err error) string {
	if err == nil {
		return what
	}
	return what + ": " + err.Error()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// unsigned says that nothing in the log is of the installation that is trusted, if that is so.
func unsigned(messages uint64, installation string) string {
	if messages == 0 {
		return ""
	}
	return fmt.Sprintf("none of the %d messages in the log is signed by the installation %s, which is trusted here", messages, installation)
}

// addHistory says whether what arrives can be believed.
func (all found) addHistory(f *facts) {
	if !f.log.StreamMissing { // otherwise it is what was found in a stream that is gone
		all.addStream(f)
	}
	if f.log.DifferentState != nil {
		all[health.DifferentState] = f.log.DifferentState.Error()
	}
	if detail := logcondition.Foreign(f.log.Foreign, f.now); detail != "" {
		all[health.ForeignMessages] = detail
	}
	if f.log.Skew.Abs() > oldLimit {
		all[health.HeartbeatsOld] = fmt.Sprintf("the last one is %s from the clock of this machine", f.log.Skew.Abs().Round(time.Second))
	}
	if f.log.Fragments > 0 {
		all[health.FragmentDropped] = fmt.Sprintf("%d since the start, the last of operation %q", f.log.Fragments, f.log.LastFragment)
	}
}

// addStream says whether the stream can be followed.
func (all found) addStream(f *facts) {
	for code, err := range map[health.Code]error{
		logcondition.History(f.log.DifferentHistory): f.log.DifferentHistory,

		health.LogHole:         f.log.Hole,
		health.EntryUnreadable: f.log.Unreadable,
	} {
		if err != nil {
			all[code] = err.Error()
		}
	}
	if detail := unsigned(f.log.Unsigned, f.installation); detail != "" {
		all[health.LogUnsigned] = detail
	}
}
