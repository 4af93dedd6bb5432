package api

// Caller is who makes a request.
type Caller struct {
	ID      string   `json:"id,omitempty" doc:"The opaque id that stands in the log. A person whom an issuer names gets one with the first change; absent until then."`
	Subject string   `json:"subject,omitempty" example:"corp:8f3a" doc:"What policies call a person whom an issuer names; absent if that is the id. It does not stand in the log."`
	Name    string   `json:"name,omitempty" doc:"For people."`
	Kind    string   `json:"kind" enum:"token,oidc,dev,local"`
	Groups  []string `json:"groups" nullable:"false"`
	Scope   *Scope   `json:"scope,omitempty"`
}

// PolicyQuestion asks what policies say.
type PolicyQuestion struct {
	_ struct{} `additionalProperties:"false"`

	Principal  string   `json:"principal,omitempty" doc:"What policies call who would do it: the id, or the subject of a person whom an issuer names; absent is the caller. Asking about others needs to be permitted to administer."`
	Groups     []string `json:"groups,omitempty" nullable:"false" doc:"The groups of the principal, if it is not the caller."`
	Action     string   `json:"action" enum:"read,propose,change,approve,apply,archive,break-glass,administer" example:"change"`
	Resource   Resource `json:"resource,omitzero" doc:"What it would be done to; absent is what is global."`
	Approvals  int      `json:"approvals,omitzero" minimum:"0" maximum:"100" doc:"How many others would have approved it."`
	OwnRequest bool     `json:"ownRequest,omitzero" doc:"Whether the principal would be the author of the change request."`
	BreakGlass bool     `json:"breakGlass,omitzero" doc:"Whether the principal would demand to go without approvals."`
	Dependants int      `json:"dependants,omitzero" minimum:"0" doc:"How many flags would depend on what is changed."`
}

// Resource is what something is done to.
type Resource struct {
	_ struct{} `additionalProperties:"false"`

	Environment string   `json:"environment,omitempty" example:"prod" doc:"The environment; absent is what is global."`
	Kind        string   `json:"kind,omitempty" enum:"flag,segment,settings" doc:"The kind of the document; absent is the environment itself."`
	Key         string   `json:"key,omitempty"`
	FlagSet     string   `json:"flagSet,omitempty"`
	Owner       string   `json:"owner,omitempty"`
	FlagKind    string   `json:"flagKind,omitempty"`
	Tags        []string `json:"tags,omitempty" nullable:"false"`
}

// PolicyAnswer is what policies say.
type PolicyAnswer struct {
	Permitted bool     `json:"permitted"`
	Approvals int      `json:"approvals,omitzero" doc:"How many approvals would make it permitted; absent if it is, or if none would."`
	Policies  []string `json:"policies" nullable:"false" doc:"The policies that decided; none if no policy permits it."`
	Errors    []string `json:"errors,omitempty" nullable:"false" doc:"What went wrong in policies while they were evaluated."`
}
