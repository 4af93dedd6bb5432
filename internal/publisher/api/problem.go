package api

// ProblemType begins the type of every problem.
const ProblemType = "urn:flagside:problem:"

// The types of problems that the API itself finds.
const (
	ProblemInvalidRequest   = ProblemType + "invalid-request"
	ProblemNotFound         = ProblemType + "not-found"
	ProblemMethodNotAllowed = ProblemType + "method-not-allowed"
	ProblemMediaType        = ProblemType + "unsupported-media-type"
	ProblemTooLarge         = ProblemType + "too-large"
	ProblemForeignHost      = ProblemType + "foreign-host"
	ProblemForeignOrigin    = ProblemType + "foreign-origin"
	ProblemInternal         = ProblemType + "internal"
	ProblemUndecided        = ProblemType + "undecided"
	ProblemUnauthenticated  = ProblemType + "unauthenticated"
	ProblemUnavailable      = ProblemType + "unavailable"
	ProblemPlainHTTP        = ProblemType + "plain-http"
	ProblemTooMany          = ProblemType + "too-many-requests"
	ProblemAmbiguous        = ProblemType + "environment-ambiguous"
	ProblemManifestConflict = ProblemType + "manifest-conflict"
)

// The types of refusals that clients tell apart. openapi.json lists all types.
const (
	ProblemApprovalRequired    = ProblemType + "approval-required"
	ProblemBreakGlassRequired  = ProblemType + "break-glass-required"
	ProblemEnvironmentUnknown  = ProblemType + "environment-unknown"
	ProblemPreconditionFailed  = ProblemType + "precondition-failed"
	ProblemPreconditionMissing = ProblemType + "precondition-missing"
)

// Problem is an error answer: RFC 9457 with a few members more.
type Problem struct {
	Type   string `json:"type" doc:"Identifies the kind of problem: urn:flagside:problem: and its name. There may be more one day."`
	Title  string `json:"title" doc:"The HTTP status in words."`
	Status int    `json:"status" doc:"The HTTP status."`
	Detail string `json:"detail,omitempty" doc:"What is wrong and what to do, in one or two sentences."`
	// Errors are the places that are wrong.
	Errors []ProblemPlace `json:"errors,omitempty" nullable:"false" doc:"The places that are wrong, if there are any to name."`
	// Current is the revision that the document has.
	Current string `json:"current,omitempty" doc:"The revision that the document has now, if it exists."`
	// OpID is the op-id of a change whose fate is not known.
	OpID    string `json:"opId,omitempty" doc:"The op-id under which an undecided change will stand in the log if it is written."`
	Request string `json:"request,omitempty" doc:"The id of the change request that is concerned."`
	// Moved are the documents that a stale change request was made from.
	Moved []Base `json:"moved,omitempty" nullable:"false" doc:"What a stale change request was made from and has changed since, with the revisions that it has now."`
	// Action and Policies are what policies do not permit, and which of them decided.
	Action    string   `json:"action,omitempty" doc:"What policies do not permit."`
	Policies  []string `json:"policies,omitempty" nullable:"false" doc:"The policies that decided."`
	Approvals int      `json:"approvals,omitzero" doc:"How many people must agree in all before policies permit it: open a change request."`
	Risk      *Risk    `json:"risk,omitempty" doc:"What the change puts at stake."`
	// Manifest is the problem once more, for clients of OpenFeature's manifest API.
	Manifest *ManifestError `json:"error,omitempty" doc:"The problem once more, as OpenFeature's manifest API has it; only in its answers."`
}

// ProblemPlace is one thing that is wrong.
type ProblemPlace struct {
	Kind     string `json:"kind,omitempty" doc:"The kind of the document: flag, segment or settings."`
	Key      string `json:"key,omitempty" doc:"The key of the document."`
	Pointer  string `json:"pointer,omitempty" doc:"The place in the document, a JSON pointer (RFC 6901)."`
	Location string `json:"location,omitempty" doc:"The place in the request when it is not in a document."`
	Reason   string `json:"reason" doc:"What is wrong."`
	Hint     string `json:"hint,omitempty" doc:"What to do."`
}
