package api

import "time"

// Impact is what would come of recent evaluations if a change were made, as sidecars say: a sample of them evaluates a sample of what applications asked
// them within the last hour again.
type Impact struct {
	Answered int            `json:"answered" doc:"How many sidecars have counts."`
	Asked    int            `json:"asked" doc:"How many sidecars were asked."`
	Sidecars int            `json:"sidecars" doc:"How many sidecars report. If more than have counts, counts are estimated for all of them but those of unanswered applications."`
	Refused  map[string]int `json:"refused,omitempty" doc:"How many sidecars have no counts, by why: busy, behind, epoch, not-ready, invalid, clock."`
	// Unanswered and Clocks are of those that were asked.
	Unanswered []string      `json:"unanswered,omitempty" doc:"The applications of which no sidecar that was asked has counts, so that nothing is known of them; empty for those without a name."`
	Clocks     []ImpactClock `json:"clocks,omitempty" doc:"Whose clock and that of the publisher differ so much that they have not answered."`
	// InProcess is of the last reports.
	InProcess    int          `json:"inProcess,omitzero" doc:"How many clients evaluate by themselves. Nothing is known of what they would answer."`
	Applications []string     `json:"applications" nullable:"false" doc:"The applications that asked, as far as they have names."`
	SinceSeconds int64        `json:"sinceSeconds" doc:"How far back the evaluations go."`
	Partial      bool         `json:"partial,omitzero" doc:"Whether some sidecars had no time to look at all that they remember."`
	Flags        []ImpactFlag `json:"flags" nullable:"false" doc:"The flags that the change touches, those with the most changes first."`
	MoreFlags    int          `json:"moreFlags,omitzero" doc:"How many flags are not listed."`
	Missing      string       `json:"missing,omitempty" doc:"Why no sidecar was asked."`
	At           time.Time    `json:"at"`
}

// ImpactClock is the clock of a sidecar.
type ImpactClock struct {
	Name         string `json:"name" doc:"The sidecar: its pod, otherwise its host."`
	Namespace    string `json:"namespace,omitempty"`
	AheadSeconds int64  `json:"aheadSeconds" doc:"How far it is ahead of the clock of the publisher; negative if it is behind."`
}

// ImpactFlag is what would come of the evaluations of one flag.
type ImpactFlag struct {
	Key          string         `json:"key"`
	Evaluations  uint64         `json:"evaluations" doc:"How many there were. What follows is of as many."`
	TooFew       uint64         `json:"tooFew,omitzero" doc:"How many there were beside them in sidecars that remember too few to tell anything."`
	Samples      int            `json:"samples" doc:"How many evaluations were made again; counts are estimated from them."`
	Changed      uint64         `json:"changed" doc:"How many would get another answer."`
	Changes      []ImpactChange `json:"changes" nullable:"false" doc:"Which, the most frequent first."`
	ErrorsBefore uint64         `json:"errorsBefore" doc:"How many fail as things are."`
	ErrorsAfter  uint64         `json:"errorsAfter" doc:"How many would fail."`
	Fails        bool           `json:"fails,omitzero" doc:"Whether any would fail, also where errorsAfter is 0, because a few are told as 5 or 0 at random."`
}

// ImpactChange is how many evaluations would get another answer, of one kind.
type ImpactChange struct {
	From string `json:"from" doc:"The variant of the answer now; empty for an error, or where the default of the application applies."`
	To   string `json:"to" doc:"The variant of the answer then, as from. The same as from if the variant has another value."`
	N    uint64 `json:"n"`
}

// RequestImpactQuery says what is shown of a change request.
type RequestImpactQuery struct {
	Impact bool `query:"impact" doc:"Ask sidecars what it would do to recent evaluations, while it can be applied."`
}
