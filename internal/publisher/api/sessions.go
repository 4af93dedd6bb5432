package api

import "time"

// Session is someone who is signed in to the console, in one browser.
type Session struct {
	ID        string    `json:"id" doc:"Names the session. It is no secret."`
	Principal string    `json:"principal" doc:"The opaque id of who is signed in; unregistered for a person who had not changed anything yet when signing in."`
	Name      string    `json:"name,omitempty" doc:"What people call the person or the token."`
	Kind      string    `json:"kind" enum:"token,oidc,dev" doc:"What the principal is: token, oidc for a person of an issuer, dev."`
	How       string    `json:"how" enum:"token,oidc,dev" doc:"How it signed in: with an API token, by an OpenID Connect issuer, or with the link that flagside dev prints."`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires" doc:"When it ends, 12 hours after it began."`
	Browser   string    `json:"browser,omitempty" doc:"What the browser calls itself."`
	Current   bool      `json:"current,omitzero" doc:"Whether it is the session of this very request."`
}

// SessionList has sessions, the oldest first.
type SessionList struct {
	Items []Session `json:"items" nullable:"false"`
}
