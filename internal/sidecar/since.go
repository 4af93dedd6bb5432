package sidecar

import "time"

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
