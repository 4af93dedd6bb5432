package api

import (
	"time"
)

// Person is a person whom an issuer names and who has changed something.
type Person struct {
	ID      string    `json:"id" doc:"The opaque id that stands in the log. It stays there when the person is erased."`
	Name    string    `json:"name,omitempty" doc:"For people."`
	Subject string    `json:"subject,omitempty" example:"corp:8f3a" doc:"What policies call the person; absent if the person was erased, or if the data in PEOPLE is missing or was forged."`
	Created time.Time `json:"created" doc:"When the person got the id."`
	Erased  time.Time `json:"erased,omitzero" doc:"When the person was erased; absent if not."`
	Eraser  string    `json:"eraser,omitempty" doc:"The opaque id of who erased the person."`
}

// Erased says what is left of a person.
type Erased struct {
	IDs []string `json:"ids" nullable:"false" doc:"The opaque ids of the person, which stay in the log and no longer lead to a person."`
}

// Names are what people call those whose ids stand beside it.
type Names map[string]string

// PersonList has persons, the oldest first.
type PersonList struct {
	Items []Person `json:"items" nullable:"false"`
}

// ErasePerson names a person to be erased: in the body, because paths are kept by proxies and traces.
type ErasePerson struct {
	_ struct{} `additionalProperties:"false"`

	Person string `json:"person" minLength:"1" maxLength:"512" example:"corp:8f3a" doc:"The id or the subject of the person."`
}
