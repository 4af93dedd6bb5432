package api

// Repaired is what a repair of a journal kept, and what is lost.
type Repaired struct {
	Stream string     `json:"stream" doc:"The stream of the journal."`
	Head   uint64     `json:"head" doc:"The number of the newest record, which is part of the repair and names what is kept and what is lost."`
	Kept   []uint64   `json:"kept" nullable:"false" doc:"The newest record of each part that is kept, in ascending order. Between two parts, and behind the last one, records are missing."`
	Lost   []Interval `json:"lost" nullable:"false" doc:"The places whose messages are missing or cannot be read, in ascending order. Some may have held no record."`
	Lacks  uint64     `json:"lacks,omitempty" doc:"The number of a record that is named elsewhere and is lost; absent if none is known."`
}

// Interval is a run of places in a stream.
type Interval struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last" doc:"It belongs to the run."`
}
