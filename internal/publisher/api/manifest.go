package api

import (
	"encoding/json"
	"time"
)

// ManifestFlag is a flag in the manifest of OpenFeature's command line.
type ManifestFlag struct {
	Key          string          `json:"key"`
	Type         string          `json:"type" enum:"boolean,string,integer,float,object"`
	Description  string          `json:"description,omitempty" doc:"One line; what could end a comment in source code is replaced."`
	DefaultValue json.RawMessage `json:"defaultValue" doc:"What an application uses when the flag gives it no value: that of offVariant, else that of defaultVariant, else false, zero or empty."`
}

// Manifest is what OpenFeature's command line generates accessors from.
type Manifest struct {
	Flags   []ManifestFlag `json:"flags" nullable:"false" doc:"By key."`
	LeftOut []LeftOutFlag  `json:"leftOut,omitempty" nullable:"false" doc:"The flags that a manifest cannot tell; no part of OpenFeature's contract."`
}

// LeftOutFlag is a flag that a manifest cannot tell.
type LeftOutFlag struct {
	Key    string `json:"key"`
	Reason string `json:"reason" doc:"Why, as the end of a sentence that begins with \"it\"."`
}

// NewManifestFlag is a flag that is to be created.
type NewManifestFlag struct {
	_ struct{} `additionalProperties:"false"`

	Key          string          `json:"key" minLength:"1"`
	Type         string          `json:"type" enum:"boolean,string,integer,float,object"`
	Name         string          `json:"name,omitempty" doc:"Flags have no name beside the key: absent, or the key."`
	Description  *string         `json:"description,omitempty" nullable:"true"`
	DefaultValue json.RawMessage `json:"defaultValue" doc:"Of the type."`
}

// ChangedManifestFlag is what a flag is to become.
type ChangedManifestFlag struct {
	_ struct{} `additionalProperties:"false"`

	Key          string          `json:"key" minLength:"1" doc:"The same as in the path."`
	Type         string          `json:"type" enum:"boolean,string,integer,float,object" doc:"The type that it has: types cannot be changed."`
	Name         string          `json:"name,omitempty" doc:"Flags have no name beside the key: absent, or the key."`
	Description  *string         `json:"description,omitempty" nullable:"true" doc:"Absent or null removes it."`
	DefaultValue json.RawMessage `json:"defaultValue,omitempty" doc:"Of the type; absent leaves it."`
}

// WrittenManifestFlag is a flag that was created or changed.
type WrittenManifestFlag struct {
	Flag      ManifestFlag `json:"flag"`
	UpdatedAt time.Time    `json:"updatedAt" doc:"When the flag was changed last."`
}

// ArchivedManifestFlag tells that a flag was removed.
type ArchivedManifestFlag struct {
	Message    string    `json:"message"`
	ArchivedAt time.Time `json:"archivedAt"`
}

// ManifestError is an error as OpenFeature's manifest API tells it, inside of a Problem.
type ManifestError struct {
	Message string `json:"message" doc:"The detail of the problem, with the places that are wrong."`
	Status  int    `json:"status" doc:"The HTTP status."`
}

// ManifestHeaders are the headers of requests that change a manifest.
type ManifestHeaders struct {
	Reason string `header:"Flagside-Reason" doc:"Why; at most 500 bytes of UTF-8. It stays in the log for ever and cannot be erased: do not name a person. If it is absent, the log says that a manifest was pushed."`
}
