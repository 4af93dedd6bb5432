package api

import "time"

// LifecycleQuery says which flags are wanted, and how long is long.
type LifecycleQuery struct {
	Stage        string `query:"stage" enum:"active,stale,expiring,expired" doc:"Only flags at this stage."`
	ExpiringDays int    `query:"expiringDays" minimum:"0" maximum:"3650" default:"14" doc:"How many days before its expires a flag is expiring."`
	StaleDays    int    `query:"staleDays" minimum:"1" maximum:"3650" default:"90" doc:"After how many days without a change a flag is stale that gives everyone the same."`
}

// FlagLifecycle is where a flag is in its life.
type FlagLifecycle struct {
	Key      string    `json:"key"`
	Revision uint64    `json:"revision"`
	Stage    string    `json:"stage" enum:"active,stale,expiring,expired" doc:"expired: its expires has passed. expiring: that is near. stale: no change for long, and the same answer for everyone, or no application has asked for it."`
	Owner    string    `json:"owner,omitempty"`
	Kind     string    `json:"kind,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
	Everyone string    `json:"everyone,omitempty" doc:"The variant that every user gets; absent if that depends on the user."`
	Off      bool      `json:"off,omitzero" doc:"Whether every user gets the default of the application."`
	LastUse  time.Time `json:"lastUse,omitzero" doc:"When an application asked for the flag last, as far as sidecars report it."`
	Unused   bool      `json:"unused,omitzero" doc:"Whether no application has asked for it for staleDays."`
}

// Lifecycle is where the flags of an environment are in their lives, by key.
type Lifecycle struct {
	Items []FlagLifecycle `json:"items" nullable:"false"`
}
