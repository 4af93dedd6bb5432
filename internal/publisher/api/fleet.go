package api

import "time"

// Fleet is a part of the sidecars of an environment, by namespace and name, with numbers about all of them. It is what sidecars claim:
// everyone who holds the credentials of the environment can report.
type Fleet struct {
	Revision string       `json:"revision" doc:"The newest revision known here; empty before the first."`
	Items    []Sidecar    `json:"items" nullable:"false"`
	Next     string       `json:"next,omitempty" doc:"Where the next part begins; absent at the end."`
	Summary  FleetSummary `json:"summary" doc:"Numbers about the whole fleet, whatever is asked for."`
	Gone     []GoneOne    `json:"gone" nullable:"false" doc:"Sidecars that went within five minutes, at most 100, the oldest first."`
}

// FleetSummary is numbers about a fleet.
type FleetSummary struct {
	Sidecars     int            `json:"sidecars" doc:"How many there are, silent ones too."`
	Standings    map[string]int `json:"standings" doc:"How many are current, behind, silent and diverged."`
	Versions     map[string]int `json:"versions" doc:"How many run which version of the sidecar."`
	Serving      map[string]int `json:"serving" doc:"How many answer from what, such as live or disk, by their last report."`
	Complete     bool           `json:"complete" doc:"False while the fleet may have other sidecars: for 15 seconds after a start or a lost connection, and while it is too large for the table."`
	CompleteInMs int64          `json:"completeInMs,omitzero" doc:"Milliseconds until it is complete."`
}

// Sidecar is what is known of one sidecar.
type Sidecar struct {
	Boot               string            `json:"boot" doc:"The random id of the process."`
	Name               string            `json:"name" doc:"The pod, otherwise the host."`
	Pod                string            `json:"pod,omitempty"`
	Namespace          string            `json:"namespace,omitempty"`
	Node               string            `json:"node,omitempty"`
	Zone               string            `json:"zone,omitempty"`
	Host               string            `json:"host,omitempty"`
	Application        string            `json:"application,omitempty"`
	ApplicationVersion string            `json:"applicationVersion,omitempty"`
	Labels             map[string]string `json:"labels,omitempty"`
	Version            string            `json:"version,omitempty" doc:"The version of the sidecar."`
	Standing           string            `json:"standing" enum:"current,behind,silent,diverged" doc:"Silent: not heard of for 36 seconds. Diverged: it serves other documents than there are at its revision."`
	Serving            string            `json:"serving,omitempty" doc:"What it answers from: live, memory, disk, bootstrap or empty."`
	Revision           string            `json:"revision,omitempty" doc:"What it serves; absent if its flags never were in the log."`
	StateDigest        string            `json:"stateDigest,omitempty"`
	AgeMs              *int64            `json:"ageMs,omitempty" doc:"How old its flags were when it reported, in milliseconds; absent if it does not know."`
	Conditions         []string          `json:"conditions" nullable:"false" doc:"The codes of what is wrong there."`
	Clients            map[string]int    `json:"clients" doc:"How many clients are connected to each of its ports."`
	Flags              int               `json:"flags"`
	Refused            int               `json:"refused" doc:"How many documents it could not compile, so that it serves an older version of them or none."`
	RefusedKeys        []string          `json:"refusedKeys,omitempty" nullable:"false" doc:"The first of them."`
	UpSeconds          int64             `json:"upSeconds" doc:"How long it ran when it reported."`
	ReportedMsAgo      int64             `json:"reportedMsAgo" doc:"Milliseconds since its last report."`
}

// GoneOne is a sidecar that went.
type GoneOne struct {
	Boot      string    `json:"boot"`
	Name      string    `json:"name"`
	Namespace string    `json:"namespace,omitempty"`
	Revision  string    `json:"revision,omitempty"`
	HeardAt   time.Time `json:"heardAt" doc:"When it reported last."`
	At        time.Time `json:"at"`
	Why       string    `json:"why" enum:"good-bye,replaced,unheard,displaced" doc:"good-bye: it was stopped. replaced: its pod has another process. unheard: no report for five minutes. displaced: it was silent, and the table was full."`
}

// FleetQuery says which sidecars are wanted. Empty members want all.
type FleetQuery struct {
	Standing    string `query:"standing" enum:"current,behind,silent,diverged" doc:"Only sidecars that stand so."`
	Behind      bool   `query:"behind" doc:"Only sidecars that do not serve the newest revision, silent and diverged ones too."`
	Application string `query:"application" maxLength:"253" doc:"Only sidecars of this application."`
	Namespace   string `query:"namespace" maxLength:"253" doc:"Only sidecars in this namespace."`
	Node        string `query:"node" maxLength:"253" doc:"Only sidecars on this node."`
	Zone        string `query:"zone" maxLength:"253" doc:"Only sidecars in this zone."`
	Version     string `query:"version" maxLength:"253" doc:"Only sidecars of this version."`
	Condition   string `query:"condition" maxLength:"63" doc:"Only sidecars that report this condition."`
	Text        string `query:"text" maxLength:"253" doc:"Only sidecars with this text in their name."`
	Limit       int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many sidecars."`
	After       string `query:"after" maxLength:"1024" doc:"Begin after this sidecar: next of the answer before."`
}

// Convergence is where a revision is served.
type Convergence struct {
	Revision     string      `json:"revision"`
	Served       int         `json:"served" doc:"How many sidecars serve it, or a later one."`
	Of           int         `json:"of" doc:"How many sidecars are known, silent ones too."`
	Converged    bool        `json:"converged" doc:"Whether so many serve it as were asked for. Never while the fleet is not complete, and never without a sidecar."`
	Complete     bool        `json:"complete" doc:"Whether the whole fleet is known, as in the summary of the fleet."`
	CompleteInMs int64       `json:"completeInMs,omitzero"`
	Stragglers   []Straggler `json:"stragglers" nullable:"false" doc:"The first 100 of those that do not serve it."`
	More         int         `json:"more,omitzero" doc:"How many more do not."`
	Lost         []GoneOne   `json:"lost" nullable:"false" doc:"Sidecars that went within an hour without a good-bye and did not serve it by their last report, at most 100, the oldest first. They are not counted, and may still answer applications."`
	Evaluating   int         `json:"evaluating,omitzero" doc:"How many clients get the documents from sidecars and evaluate by themselves. They hear of a change by the stream of their sidecar, and nothing tells when they serve it."`
	ServedIn     *ServedIn   `json:"servedIn,omitempty" doc:"How long it took; absent if the change is too long ago."`
}

// ServedIn is how long a change took from its commit to sidecars, on the clock of the publisher that was asked.
type ServedIn struct {
	Served   int      `json:"served" doc:"How many sidecars serve it now, or a later revision."`
	Of       int      `json:"of" doc:"How many are known now."`
	Sidecars int      `json:"sidecars,omitzero" doc:"How many sidecars there were when all of them served it; absent if that was never so."`
	AllMs    *float64 `json:"allMs,omitempty" doc:"Milliseconds until all of them did; absent if that was never so."`
	Acks     int      `json:"acks" doc:"How many sidecars acknowledged it: all of a fleet of up to a thousand, about a thousand of a larger one."`
	MedianMs float64  `json:"medianMs" doc:"Milliseconds until half of those served it."`
	P90Ms    float64  `json:"p90Ms"`
	P99Ms    float64  `json:"p99Ms"`
}

// Straggler is a sidecar that does not serve a revision.
type Straggler struct {
	Boot          string `json:"boot"`
	Name          string `json:"name"`
	Namespace     string `json:"namespace,omitempty"`
	Why           string `json:"why" enum:"behind,silent,diverged,refused" doc:"Refused: it could not compile a document that the change may concern."`
	Revision      string `json:"revision,omitempty" doc:"What it serves."`
	ReportedMsAgo int64  `json:"reportedMsAgo"`
}

// ConvergenceQuery says how long to wait for what.
type ConvergenceQuery struct {
	Percent float64 `query:"percent" minimum:"0" maximum:"100" default:"100" doc:"How many percent of the sidecars have to serve it."`
	WaitMs  int64   `query:"waitMs" minimum:"0" maximum:"30000" default:"0" doc:"Answer once they do, or after so many milliseconds."`
}
