package api

import "time"

// LifecycleQuery says which flags are wanted, and how long is long.
type LifecycleQuery struct {
	Stage        string `query:"stage" enum:"active,stale,expiring,expired" doc:"Only flags at this stage."`
	ExpiringDays int    `query:"expiringDays" minimum:"0" maximum:"3650" doc:"How many days before its expires a flag is expiring; 0 is what the lifecycle policy of the environment says."`
	StaleDays    int    `query:"staleDays" minimum:"0" maximum:"3650" doc:"After how many days without a change a flag is stale that gives everyone the same; 0 is what the lifecycle policy of the environment says."`
}

// FlagLifecycle is where a flag is in its life, and what the lifecycle policy of the environment wants of it.
type FlagLifecycle struct {
	Key      string    `json:"key"`
	Revision uint64    `json:"revision"`
	Stage    string    `json:"stage" enum:"active,stale,expiring,expired" doc:"expired: its expires has passed. expiring: that is near. stale: no change for long, and the same answer for everyone, or no application has asked for it."`
	Since    time.Time `json:"since,omitzero" doc:"Since when it is at this stage; absent for an active flag, and while that is not told in the activity."`
	Owner    string    `json:"owner,omitempty"`
	Kind     string    `json:"kind,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
	Everyone string    `json:"everyone,omitempty" doc:"The variant that every user gets; absent if that depends on the user."`
	Off      bool      `json:"off,omitzero" doc:"Whether every user gets the default of the application."`
	LastUse  time.Time `json:"lastUse,omitzero" doc:"When an application asked for the flag last, as far as sidecars report it."`
	Unused   bool      `json:"unused,omitzero" doc:"Whether no application has asked for it for staleDays."`

	Action        string `json:"action,omitempty" enum:"freeze,propose-removal" doc:"What the policy wants of it; absent for nothing."`
	ActionState   string `json:"actionState,omitempty" enum:"due,done,blocked,waiting,rejected" doc:"How far that is. waiting: a change request is open. rejected: it was proposed and not wanted; it is not proposed again until the flag changes."`
	FreezeTo      string `json:"freezeTo,omitempty" doc:"The variant that everyone is to get; absent for the default of the application."`
	ChangeRequest string `json:"changeRequest,omitempty" doc:"The change request that waits, or was rejected."`
	Detail        string `json:"detail,omitempty" doc:"Why it is blocked."`
}

// Lifecycle is where the flags of an environment are in their lives, by key.
type Lifecycle struct {
	Items []FlagLifecycle `json:"items" nullable:"false"`
}

// LifecyclePolicy is what holds for flags that grow old.
type LifecyclePolicy struct {
	_ struct{} `additionalProperties:"false"`

	ExpiringDays int `json:"expiringDays" minimum:"0" maximum:"3650" doc:"How many days before its expires a flag is expiring."`
	StaleDays    int `json:"staleDays" minimum:"1" maximum:"3650" doc:"After how many days without a change a flag is stale that gives everyone the same."`

	OnExpiry map[string]OnExpiry `json:"onExpiry,omitempty" doc:"What becomes of expired flags by itself, by kind: experiment, permission or release. Other kinds are reported only; ops are kill switches."`
}

// OnExpiry is what becomes of an expired flag by itself.
type OnExpiry struct {
	_ struct{} `additionalProperties:"false"`

	Action   string `json:"action" enum:"report,freeze,propose-removal" doc:"freeze: everyone gets the same variant; targeting is removed, prerequisites stay. propose-removal: a change request wants it archived."`
	FreezeTo string `json:"freezeTo,omitempty" maxLength:"256" doc:"defaultVariant (also if absent), offVariant, or the name of a variant."`
}

// LifecyclePolicyResult is a lifecycle policy with what it wants now.
type LifecyclePolicyResult struct {
	Policy LifecyclePolicy `json:"policy"`
	Flags  []FlagLifecycle `json:"flags" nullable:"false" doc:"The flags that it wants something of now."`
}
