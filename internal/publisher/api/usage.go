package api

import "time"

// UsageState tells what counts say, and what they do not.
type UsageState struct {
	Kept        bool           `json:"kept" doc:"Whether this publisher keeps counts."`
	Since       time.Time      `json:"since,omitzero" doc:"When counts begin; absent if there are none yet."`
	FoldedUntil time.Time      `json:"foldedUntil,omitzero" doc:"Everything that sidecars had reported until then is counted. Sidecars report once a minute."`
	Waiting     uint64         `json:"waiting,omitzero" doc:"Reports that have come and are not counted yet."`
	Lost        uint64         `json:"lost,omitzero" doc:"Evaluations that sidecars have counted and could not report, since counts begin."`
	Missed      uint64         `json:"missed,omitzero" doc:"Reports that were removed before they were counted, and such that could not be read."`
	Clients     []UsageClients `json:"clients,omitempty" nullable:"false" doc:"Clients that evaluate by themselves: how often they do is not known."`
	Unchanged   time.Time      `json:"unchanged,omitzero" doc:"When a client last asked for all flags and kept the answer that it had, and it is not known which flags those were."`
}

// UsageClients are clients of an application that evaluate by themselves.
type UsageClients struct {
	Application string    `json:"application,omitempty"`
	Clients     int       `json:"clients,omitzero" doc:"How many there are now."`
	Last        time.Time `json:"last" doc:"When there were some last."`
}

// UsageQuery says what is wanted of the usage of all flags.
type UsageQuery struct {
	LastOnly bool `query:"lastOnly" doc:"Whether only last uses are wanted, for which less has to be read."`
	Hourly   bool `query:"hourly" doc:"Whether the evaluations of each hour of the last 24 are wanted too."`
}

// Usage is how the flags of an environment are used.
type Usage struct {
	UsageState

	DayFrom  time.Time   `json:"dayFrom,omitzero" doc:"Where the count of the last 24 hours begins: at a full hour."`
	WeekFrom time.Time   `json:"weekFrom,omitzero" doc:"Where the count of the last 7 days begins: at a day of UTC."`
	Flags    []FlagInUse `json:"flags" nullable:"false" doc:"Flags that were evaluated, by key; also such that do not exist any more."`
}

// FlagInUse is how a flag is used.
type FlagInUse struct {
	Key          string    `json:"key"`
	Last         time.Time `json:"last,omitzero" doc:"When the flag was asked for last; absent is never."`
	LastBulk     time.Time `json:"lastBulk,omitzero" doc:"When it was last among all flags of an answer, of which it is not known which ones were looked at."`
	Applications []string  `json:"applications,omitempty" nullable:"false" doc:"The applications that have asked for it in the last 7 days."`
	Day          uint64    `json:"day,omitzero" doc:"Evaluations in the last 24 hours."`
	Week         uint64    `json:"week,omitzero" doc:"Evaluations in the last 7 days."`
	Hours        []uint64  `json:"hours,omitempty" nullable:"false" doc:"With hourly: the evaluations of each hour from dayFrom on; absent if there were none."`
}

// FlagUsageQuery says which time is wanted.
type FlagUsageQuery struct {
	From time.Time `query:"from" doc:"Where to begin; without it 24 hours before to."`
	To   time.Time `query:"to" doc:"Where to end; without it now."`
	Step string    `query:"step" enum:"minute,hour,day" default:"hour" doc:"How long the time of one point is. Minutes are kept for 2 days, hours for 35, days for 400."`
}

// FlagUsage is how a flag was used over a time.
type FlagUsage struct {
	UsageState

	Key    string       `json:"key"`
	Step   string       `json:"step"`
	From   time.Time    `json:"from" doc:"Where the first point begins."`
	To     time.Time    `json:"to" doc:"Where the last point ends."`
	Points []UsagePoint `json:"points" nullable:"false" doc:"The evaluations by time; points without any are left out."`
	Series []UsageCount `json:"series" nullable:"false" doc:"The evaluations of the whole time, told apart; at most 1000, the largest."`
	Uses   []UsageLast  `json:"uses" nullable:"false" doc:"When each variant was given last."`
	Untold uint64       `json:"untold,omitzero" doc:"Evaluations of the whole time for which there was no room to tell the flags apart."`
}

// UsagePoint is how often a flag was evaluated in some time.
type UsagePoint struct {
	At          time.Time         `json:"at"`
	Evaluations uint64            `json:"evaluations"`
	Variants    map[string]uint64 `json:"variants" doc:"By variant; the empty one is the default of the application."`
}

// UsageCount is how often a flag was evaluated alike.
type UsageCount struct {
	Variant     string `json:"variant,omitempty" doc:"Absent if the default of the application applied."`
	Reason      string `json:"reason,omitempty"`
	ErrorCode   string `json:"errorCode,omitempty"`
	Rule        int    `json:"rule,omitzero" doc:"The number of the rule that answered, from 1."`
	Application string `json:"application,omitempty"`
	Release     string `json:"release,omitempty" doc:"The version of the application."`
	Revision    string `json:"revision,omitempty" doc:"The revision of the flag."`
	Bulk        bool   `json:"bulk,omitzero" doc:"Whether it was among all flags of an answer."`
	Evaluations uint64 `json:"evaluations"`
}

// UsageLast is when an application was given a variant last.
type UsageLast struct {
	Variant     string    `json:"variant,omitempty"`
	Application string    `json:"application,omitempty"`
	Last        time.Time `json:"last,omitzero"`
	LastBulk    time.Time `json:"lastBulk,omitzero"`
}

// UnknownFlagsQuery says over which time.
type UnknownFlagsQuery struct {
	Days int `query:"days" minimum:"1" maximum:"30" default:"7" doc:"Over how many days, with today."`
}

// UnknownFlags are flags that applications ask for and that do not exist.
type UnknownFlags struct {
	UsageState

	From   time.Time     `json:"from"`
	Items  []UnknownFlag `json:"items" nullable:"false" doc:"By key. Flags that exist now are left out."`
	Others uint64        `json:"others,omitzero" doc:"Requests for flags for which there was no room to name them."`
}

// UnknownFlag is a flag that an application asks for and that does not exist.
type UnknownFlag struct {
	Key         string    `json:"key"`
	Application string    `json:"application,omitempty"`
	Requests    uint64    `json:"requests"`
	LastDay     time.Time `json:"lastDay" doc:"The last day, in UTC, with a request."`
}
