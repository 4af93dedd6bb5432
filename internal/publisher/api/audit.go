package api

import "time"

// Note is a proof.
type Note struct {
	Note string `json:"note" doc:"A C2SP signed note over the place and the SHA-256 of the stored bytes."`
}

// Verification is what a publisher found when it verified the history of an environment.
type Verification struct {
	Verified     bool                 `json:"verified" doc:"Whether every record continues the one before and is proved, and the changes are those that were signed."`
	Complete     bool                 `json:"complete" doc:"Whether nothing is lost: false if it is not verified, too."`
	Problem      string               `json:"problem,omitempty" doc:"The first record that is not what it was when it was signed, and why; absent if it is verified."`
	Installation string               `json:"installation"`
	KeysVersion  uint64               `json:"keysVersion" doc:"The version of the keys note that was believed."`
	Keys         []string             `json:"keys" nullable:"false" doc:"The names and numbers of the keys that may sign now."`
	Streams      []VerificationStream `json:"streams" nullable:"false"`
	Warnings     []string             `json:"warnings,omitempty" nullable:"false"`
	Time         time.Time            `json:"time"`
}

// VerificationStream is what was verified of one stream.
type VerificationStream struct {
	Stream  string `json:"stream" example:"FLAGS_prod"`
	Records int    `json:"records"`
	Last    uint64 `json:"last" doc:"The number of the newest record."`
}
