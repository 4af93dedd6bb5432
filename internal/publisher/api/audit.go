package api

// Note is a proof.
type Note struct {
	Note string `json:"note" doc:"A C2SP signed note over the place and the SHA-256 of the stored bytes."`
}
