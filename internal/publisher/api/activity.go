package api

import "time"

// Activity is a part of what happened in an environment, newest first.
type Activity struct {
	Items  []Event `json:"items" nullable:"false"`
	Next   string  `json:"next,omitempty" doc:"Where the next part begins; absent at the end. Where a part is short, more was looked at than it has."`
	Newest string  `json:"newest" doc:"The newest place here, for after."`
}

// ActivityQuery says which part of the activity is wanted.
type ActivityQuery struct {
	Actor  string    `query:"actor" maxLength:"512" doc:"Only what this principal did, by its opaque id."`
	Flag   string    `query:"flag" maxLength:"1024" doc:"Only what concerns this flag, which may be gone."`
	Since  time.Time `query:"since" doc:"Only what happened then or later."`
	Until  time.Time `query:"until" doc:"Only what happened before."`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many items."`
	Before string    `query:"before" maxLength:"64" doc:"Only what is before this place: next of the answer before."`
	After  string    `query:"after" maxLength:"64" doc:"Only what is behind this place: newest of the answer before."`
}
