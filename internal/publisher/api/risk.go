package api

import (
	"time"
)

// Risk is what a change puts at stake.
type Risk struct {
	High       bool         `json:"high"`
	Reasons    []RiskReason `json:"reasons" nullable:"false"`
	Share      *float64     `json:"share,omitempty" doc:"The part of the users, from 0 to 1, whose answer changes; absent if that is not known."`
	Dependants int          `json:"dependants" doc:"How many flags depend on what changes, directly or not."`
	InUse      *bool        `json:"inUse,omitempty" doc:"Whether the flags were evaluated lately; absent if that is not known."`
}

// RiskReason is one reason why a change is risky.
type RiskReason struct {
	Code     string `json:"code" doc:"For policies and programs, such as protected-environment."`
	Sentence string `json:"sentence" doc:"For people."`
}

// RiskSettings say what is risky in an environment.
type RiskSettings struct {
	_ struct{} `additionalProperties:"false"`

	Protected  bool     `json:"protected,omitzero" doc:"Whether every change is risky."`
	Tags       []string `json:"tags,omitempty" nullable:"false" maxItems:"100" doc:"The tags of flags every change of which is risky."`
	Share      float64  `json:"share,omitzero" minimum:"0" maximum:"1" doc:"The part of the users from which on a change of their answer is risky; 0 turns this off."`
	Dependants int      `json:"dependants,omitzero" minimum:"0" doc:"The number of flags from which on a change of what they depend on is risky; 0 turns this off."`
	Freezes    []Freeze `json:"freezes,omitempty" nullable:"false" maxItems:"100" doc:"The times in which every change is risky."`
}

// Freeze is a time, from and up to but not including, in which nothing is to be changed without need.
type Freeze struct {
	_ struct{} `additionalProperties:"false"`

	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason,omitempty"`
}
