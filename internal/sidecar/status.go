package sidecar

import (
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/sync/changelog"
)

// statusBody is the body of /status.
type statusBody struct {
	Environment   string             `json:"environment"`
	Version       string             `json:"version"`
	Compatibility eval.Compatibility `json:"compatibility,omitempty"`
	Ready         bool               `json:"ready"`

	Serving servingStatus `json:"serving"`

	// The state that is served. Revision and digest are missing for flags that never were in a log.
	Revision    string           `json:"revision,omitempty"`
	Digest      string           `json:"digest,omitempty"`
	StateDigest changelog.Digest `json:"stateDigest"`
	Flags       int              `json:"flags"`

	Dependencies []dependency      `json:"dependencies"`
	Log          logStatus         `json:"log"`
	Conditions   []conditionStatus `json:"conditions"`

	// Why the newest version of some documents is not served: how many reasons there are, and the first of them.
	ProblemCount int             `json:"problemCount"`
	Problems     []problemStatus `json:"problems"`

	// The flags whose evaluations have failed, those with the newest errors first: how many there are, and the first of them.
	ErringCount int            `json:"erringCount"`
	Erring      []erringStatus `json:"erring"`
}

// servingStatus is what answers come from.
type servingStatus struct {
	State servingState `json:"state"`
	Since time.Time    `json:"since"`
	// AgeSeconds is how long ago everything that existed was applied for sure; missing if that is not known. It is an estimate after a restart
	// from disk, until the log confirms what is served.
	AgeSeconds   *float64 `json:"ageSeconds,omitempty"`
	AgeEstimated bool     `json:"ageEstimated,omitempty"`
}

// logStatus is how well the change log is followed.
type logStatus struct {
	Connected bool   `json:"connected"`
	Synced    bool   `json:"synced"`
	Received  uint64 `json:"received"`
	// Head is the highest revision known to exist, 0 if none is.
	Head          uint64 `json:"head"`
	LastHeartbeat string `json:"lastHeartbeat,omitempty"`
	Gaps          uint64 `json:"gaps"`
	Fragments     uint64 `json:"fragments"`
	LastError     string `json:"lastError,omitempty"`
}

type conditionStatus struct {
	Code     health.Code     `json:"code"`
	Severity health.Severity `json:"severity"`
	Sentence string          `json:"sentence"`
	Since    time.Time       `json:"since"`
	Detail   string          `json:"detail,omitempty"`
}

// maxProblems is how many problems /status shows.
const maxProblems = 100

type erringStatus struct {
	Flag          string    `json:"flag"`
	ParseErrors   uint64    `json:"parseErrors"`
	GeneralErrors uint64    `json:"generalErrors"`
	Last          time.Time `json:"last"`
}

func newErringStatus(all []erring) []erringStatus {
	body := make([]erringStatus, 0, len(all))
	for _, one := range all {
		body = append(body, erringStatus{Flag: one.key, ParseErrors: one.parse, GeneralErrors: one.general, Last: one.last.UTC()})
	}
	return body
}

type problemStatus struct {
	Kind    document.Kind `json:"kind,omitempty"`
	Key     string        `json:"key,omitempty"`
	Pointer string        `json:"pointer,omitempty"`
	Reason  string        `json:"reason"`
	Hint    string        `json:"hint,omitempty"`
}

// Status returns what /status shows.
func (s *Sidecar) Status() any {
	f := s.examine()
	body := statusBody{
		Environment:  s.options.Environment,
		Version:      s.options.Version,
		Ready:        s.Ready(),
		Serving:      newServingStatus(f),
		Dependencies: f.dependencies,
		Log:          newLogStatus(f),
		Conditions:   newConditionStatus(s.health.Active()),
		ProblemCount: len(f.problems),
		Problems:     newProblemStatus(f.problems[:min(maxProblems, len(f.problems))]),
		ErringCount:  len(f.erring),
		Erring:       newErringStatus(f.erring[:min(maxErring, len(f.erring))]),
	}
	if view := s.store.View(); view != nil {
		body.Compatibility = view.Rules().Compatibility()
		body.Flags = view.Rules().Len()
		body.StateDigest = view.StateDigest()
		if position := view.Position(); !position.IsZero() {
			body.Revision, body.Digest = position.Token().String(), position.Digest.String()
		}
	}
	return body
}

func newServingStatus(f *facts) servingStatus {
	return servingStatus{
		State: f.serving(), Since: f.servingSince.UTC(), AgeSeconds: f.age.seconds(), AgeEstimated: f.age.estimated,
	}
}

func newConditionStatus(conditions []health.Active) []conditionStatus {
	body := make([]conditionStatus, 0, len(conditions))
	for _, c := range conditions {
		body = append(body, conditionStatus{
			Code: c.Code, Severity: c.Severity, Sentence: c.Sentence, Since: c.Since.UTC(), Detail: c.Detail,
		})
	}
	return body
}

func newProblemStatus(problems eval.Problems) []problemStatus {
	body := make([]problemStatus, 0, len(problems))
	for _, p := range problems {
		body = append(body, problemStatus{Kind: p.Kind, Key: p.Key, Pointer: p.Pointer, Reason: p.Reason, Hint: p.Hint})
	}
	return body
}

func newLogStatus(f *facts) logStatus {
	body := logStatus{
		Connected: f.log.Connected,
		Synced:    f.log.Synced,
		Received:  f.log.Received,
		Head:      f.log.Head,
		Gaps:      f.log.Gaps,
		Fragments: f.log.Fragments,
	}
	if !f.log.LastHeartbeat.IsZero() {
		body.LastHeartbeat = f.log.LastHeartbeat.UTC().Format(time.RFC3339Nano)
	}
	switch {
	case f.log.LastError != nil:
		body.LastError = f.log.LastError.Error()
	case !f.log.Connected && f.link != nil:
		body.LastError = f.link.Error()
	}
	return body
}
