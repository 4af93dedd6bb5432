package sidecar

import (
	"time"

	"github.com/flagside/flagside/cache"
	flagsync "github.com/flagside/flagside/sync"
)

// rung says what answers stand on.
type rung string

// The rungs, the best first.
const (
	rungLive      rung = "live"      // memory, confirmed to be the newest state not long ago
	rungMemory    rung = "memory"    // memory that was complete once, but nothing confirms it now, or that is not the state that was signed
	rungDisk      rung = "disk"      // the files of an earlier process
	rungBootstrap rung = "bootstrap" // the bootstrap file
	rungEmpty     rung = "empty"     // nothing
)

func rungs() []rung { return []rung{rungLive, rungMemory, rungDisk, rungBootstrap, rungEmpty} }

// liveLimit is how long ago knowledge may have been confirmed to count as live: three missed beats, and then the longest time until a
// barrier of the follower itself.
const liveLimit = 15 * time.Second

// rung returns what answers stand on.
func (f *facts) rung() rung {
	switch f.source {
	case cache.SourceDisk:
		return rungDisk
	case cache.SourceBootstrap:
		return rungBootstrap
	case cache.SourceEmpty:
		return rungEmpty
	default:
	}
	if f.log.Connected && f.log.DifferentState == nil && f.log.AgeKnown && f.log.Age <= liveLimit && !f.refuses(leaderBreaker) {
		return rungLive
	}
	return rungMemory
}

// leaderBreaker is the name of the breaker of barriers.
const leaderBreaker = "leader"

// refuses reports whether a breaker lets nothing pass.
func (f *facts) refuses(name string) bool {
	for _, b := range f.breakers {
		if b.Name == name {
			return b.State != "closed"
		}
	}
	return false
}

// dependency is something that answers depend on while they are to stay fresh.
type dependency struct {
	Name string `json:"name"`
	// State is up or down, or that of a breaker: closed, half-open or open.
	State string    `json:"state"`
	Since time.Time `json:"since"`
	// The other members are those of a breaker.
	Failures       uint64   `json:"failures,omitempty"` // in a row
	Requests       uint64   `json:"requests,omitempty"`
	Failed         uint64   `json:"failed,omitempty"`
	RetryInSeconds *float64 `json:"retryInSeconds,omitempty"`
	LastError      string   `json:"lastError,omitempty"`
}

// since knows since when things are in the state that they are in.
type since map[string]entered

// entered is a state and the time when a thing came into it.
type entered struct {
	state string
	at    time.Time
}

// of notes the state of a thing and returns since when it is in it.
func (s since) of(name, state string, now time.Time) time.Time {
	if known := s[name]; known.state == state {
		return known.at
	}
	s[name] = entered{state: state, at: now}
	return now
}

// note completes the facts by what only a comparison with earlier ones shows.
func (s since) note(f *facts) {
	f.rungSince = s.of("", string(f.rung()), f.now)
	add := func(name string, works bool, err string) {
		state := "up"
		if !works {
			state = "down"
		} else {
			err = ""
		}
		f.dependencies = append(f.dependencies, dependency{Name: name, State: state, Since: s.of(name, state, f.now).UTC(), LastError: err})
	}
	add("connection", f.log.Connected, text(f.link))
	for _, b := range f.breakers {
		f.dependencies = append(f.dependencies, newBreaker(b))
	}
	add("beats", !f.log.LastBeat.IsZero() && f.now.Sub(f.log.LastBeat) <= silenceLimit, "no publisher has announced the head for three seconds")
	var details string
	for _, condition := range f.disk {
		details = join(details, condition.Detail)
	}
	if f.keeps {
		add("disk", len(f.disk) == 0, details)
	}
}

func newBreaker(b flagsync.Breaker) dependency {
	d := dependency{
		Name: b.Name, State: b.State, Since: b.Since.UTC(), Failures: b.Failures, Requests: b.Requests, Failed: b.Failed, LastError: text(b.Error),
	}
	if b.State == "open" {
		retry := b.Retry.Seconds()
		d.RetryInSeconds = &retry
	}
	return d
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
