package api

import (
	"time"
)

// Token is an API token without its secret.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Hint    string    `json:"hint" doc:"How the secret ends."`
	Groups  []string  `json:"groups" nullable:"false"`
	Scope   *Scope    `json:"scope,omitempty"`
	Author  string    `json:"author" doc:"The opaque id of who created it."`
	Names   Names     `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased)."`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero" doc:"When it ends. A new token ends after a year at the latest, unless the publisher has another limit, and not after the token that it is made with."`
	Revoked time.Time `json:"revoked,omitzero" doc:"When it was revoked; absent if it was not."`
	Revoker string    `json:"revoker,omitempty" doc:"The opaque id of who revoked it."`
}

// NewToken says what an API token is to be.
type NewToken struct {
	_ struct{} `additionalProperties:"false"`

	Name    string    `json:"name" example:"build server" doc:"What it is for. It stays in the audit trail and cannot be erased: do not name a person."`
	Groups  []string  `json:"groups" nullable:"false" doc:"The groups that policies know its holder by, such as flagside:editor."`
	Scope   *Scope    `json:"scope,omitempty"`
	Expires time.Time `json:"expires,omitzero" doc:"When it ends. A new token ends after a year at the latest, unless the publisher has another limit, and not after the token that it is made with."`
}

// CreatedToken is a new API token with its secret, which is shown only once.
type CreatedToken struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret" doc:"What its holder sends as a bearer token. It is shown here and never again."`
}

// Scope narrows what a token may do, whatever its groups may. Absent members narrow nothing.
type Scope struct {
	_ struct{} `additionalProperties:"false"`

	Environments []string `json:"environments,omitempty" nullable:"false" doc:"The only environments that it reaches."`
	Actions      []string `json:"actions,omitempty" nullable:"false" doc:"The only actions that it may take."`
}

// TokenList has API tokens, the oldest first.
type TokenList struct {
	Items []Token `json:"items" nullable:"false"`
}
