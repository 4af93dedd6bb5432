package provision

// Outcome says what became of a Secret.
type Outcome string

// The outcomes.
const (
	Kept        Outcome = "kept"
	Made        Outcome = "made"
	Renewed     Outcome = "renewed"
	WouldMake   Outcome = "would be made"
	WouldRenew  Outcome = "would be renewed"
	NotAskedFor Outcome = "kept, though the plan does not ask for it"
	Away        Outcome = "not in the cluster"
)

// Result is what became of a Secret. Nothing in it is secret.
type Result struct {
	// Subject is namespace/name of the Secret, or of what in it the result is about.
	Subject string
	Outcome Outcome
	// What says what is in it, and why it was renewed.
	What string
	// Next is what is left for people to do; empty if there is nothing.
	Next string
}

// String returns the result in a line.
func (r Result) String() string {
	line := r.Subject + ": " + string(r.Outcome) + ", " + r.What
	if r.Next != "" {
		line += ". Next: " + r.Next
	}
	return line
}

// report tells of a result, unless it only repeats what was told: that something is kept that was made in this run.
func (r *run) report(namespace, name string, outcome Outcome, what, next string) {
	r.tell(Result{Subject: namespace + "/" + name, Outcome: outcome, What: what, Next: next})
}

func (r *run) tell(result Result) {
	switch {
	case r.reported[result.Subject] && (result.Outcome == Kept || result.Outcome == NotAskedFor):
		return
	case r.options.DryRun && result.Outcome == Made:
		result.Outcome = WouldMake
	case r.options.DryRun && result.Outcome == Renewed:
		result.Outcome = WouldRenew
	}
	r.reported[result.Subject] = true
	r.options.Report(result)
}
