package access

import "cmp"

// Kind says how a principal was authenticated.
type Kind string

// The kinds of principals.
const (
	// KindToken is the holder of an API token.
	KindToken Kind = "token"
	// KindOIDC is whom an OpenID Connect issuer names.
	KindOIDC Kind = "oidc"
	// KindDev is the holder of the token that flagside dev prints.
	KindDev Kind = "dev"
	// KindLocal is the process itself, such as a file that it watches.
	KindLocal Kind = "local"
	// KindSource is a source that publishers follow, whose name is the ID.
	KindSource Kind = "source"
)

// Principal is an authenticated caller. The zero value is an unauthenticated one and has no permissions.
type Principal struct {
	// ID is unique to the principal, such as "token:VR4J7QK2". It goes into the change log and other records, which cannot be erased.
	// The ID of a person from an issuer is random, and empty until People.Identify has given one.
	ID string
	// Subject is what policies call a person whom an issuer names, such as "corp:8f3a"; empty means that they use the ID. It goes into no record.
	Subject string
	// Name is for people; it may change and may be empty.
	Name string
	Kind Kind
	// Groups are the groups that policies know the principal by, such as RoleEditor.
	Groups []string
	// Scope narrows what policies permit.
	Scope Scope
}

// PolicyID returns the name of the principal in policies; empty for the zero value.
func (p Principal) PolicyID() string { return cmp.Or(p.Subject, p.ID) }

// RecordID returns the name of the principal in records: the ID, or Unregistered for a person without one; empty for the zero value.
func (p Principal) RecordID() string {
	if p.ID == "" && p.Subject != "" {
		return Unregistered
	}
	return p.ID
}

// The groups that the default policy speaks of.
const (
	RoleViewer   = "flagside:viewer"
	RoleEditor   = "flagside:editor"
	RoleApprover = "flagside:approver"
	RoleAdmin    = "flagside:admin"
	// RoleLifecycle is the group of what carries out lifecycle policies. Tokens do not need it.
	RoleLifecycle = "flagside:lifecycle"
	// RoleSource is that of the sources that publishers follow.
	RoleSource = "flagside:source"
)

// Scope narrows what a principal may do, whatever the policies say. Its zero value narrows nothing.
type Scope struct {
	// Environments are the only ones that the principal reaches; empty means all of them, and what is global.
	Environments []string `json:"environments,omitempty"`
	// Actions are the only ones that the principal may take; empty means all of them.
	Actions []Action `json:"actions,omitempty"`
}

// Action is something that can be done to a resource.
type Action string

// The actions.
const (
	// Read is to see documents, their history and change requests.
	Read Action = "read"
	// Propose is to open, to comment and to withdraw a change request.
	Propose Action = "propose"
	// Change is to write documents at once.
	Change Action = "change"
	// Approve is to approve or to reject a change request.
	Approve Action = "approve"
	// Apply is to carry out a change request.
	Apply Action = "apply"
	// Archive is to remove documents, or to take an environment out of use.
	Archive Action = "archive"
	// BreakGlass is to change without the approvals that would be needed. It is needed beside Change, Apply or Archive; see
	// Circumstances.BreakGlass.
	BreakGlass Action = "break-glass"
	// Administer is to create, recreate and adopt environments, to repair journals, and to manage tokens. To begin a new epoch that changes
	// documents takes Change, Archive and BreakGlass besides.
	Administer Action = "administer"
)

// Actions returns all actions. The caller owns the slice.
func Actions() []Action {
	return []Action{Read, Propose, Change, Approve, Apply, Archive, BreakGlass, Administer}
}

// Resource is what something is done to: one document, an environment (Key is empty), or what is global (Environment is empty too).
type Resource struct {
	Environment string
	// Protected tells that the environment was marked as one where mistakes are expensive.
	Protected bool
	// Kind is that of the document: flag, segment or settings; empty for an environment.
	Kind string
	// Key names the document.
	Key string
	// FlagSet, Owner, FlagKind and Tags are what the flag says of itself: flagSetId, owner, kind and tags.
	FlagSet  string
	Owner    string
	FlagKind string
	Tags     []string
}

// Circumstances are what else matters.
type Circumstances struct {
	// Approvals is how many people, other than the author, have approved exactly this change.
	Approvals int
	// OwnRequest tells that the principal is the author of the change request.
	OwnRequest bool
	// BreakGlass tells that the principal wants to skip the approvals, and has given a reason.
	BreakGlass bool
	Risk       Risk
}

// Risk is what a change puts at stake. Its zero value is that of no change.
type Risk struct {
	High    bool
	Reasons []RiskReason
	// Share is the part of the users whose answer changes, from 0 to 1, when ShareKnown.
	ShareKnown bool
	Share      float64
	// Dependants is how many flags depend on what changes, directly or not.
	Dependants int
	// InUse tells whether the flag was evaluated lately, when UsageKnown.
	UsageKnown bool
	InUse      bool
}

// RiskReason is one reason why a change is risky.
type RiskReason struct {
	// Code is for policies and programs, such as "protected-environment".
	Code string `json:"code"`
	// Sentence is for people.
	Sentence string `json:"sentence"`
}

// Question asks whether a principal may do something.
type Question struct {
	Principal     Principal
	Action        Action
	Resource      Resource
	Circumstances Circumstances
}

// Answer says whether, and by which policies.
type Answer struct {
	Permitted bool
	// Approvals, when it is not 0, tells that this is refused now and is permitted once it has this many approvals in all.
	Approvals int
	// Policies are those that decided, by their @id. Empty when no policy permits what was asked for.
	Policies []string
	// Errors are what went wrong in policies while they were evaluated. A forbid policy that fails forbids.
	Errors []string
}
