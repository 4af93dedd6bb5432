package sidecar

import (
	"time"

	"github.com/flagside/flagside/sync/follow"
)

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

// note completes the facts by what only a comparison with earlier ones shows.
func (s since) note(f *facts) {
	f.servingSince = s.of("", string(f.serving()), f.now)
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
	add("heartbeat", !f.log.LastHeartbeat.IsZero() && f.now.Sub(f.log.LastHeartbeat) <= silenceLimit, "no heartbeat of a publisher for three seconds")
	var details string
	for _, condition := range f.disk {
		details = join(details, condition.Detail)
	}
	if f.keeps {
		add("disk", len(f.disk) == 0, details)
	}
}

func newBreaker(b follow.Breaker) dependency {
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
