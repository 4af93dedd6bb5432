package audit

import (
	"fmt"

	"github.com/flagside/flagside/sync/changelog"
)

// Report is what a verification found.
type Report struct {
	Installation string
	Environment  string
	Streams      []StreamReport
	// Warnings are things that an auditor should know and that break no proof.
	Warnings []string
	// Incomplete reports that some of them question the history: it lost records, as signed records in it say, or something is not proved.
	Incomplete bool
}

// StreamReport is about one stream.
type StreamReport struct {
	Stream  string
	Records int
	Head    changelog.StreamHead
}

// Records returns how many records were verified.
func (r Report) Records() (all int) {
	for _, s := range r.Streams {
		all += s.Records
	}
	return all
}

// BadRecordError names the first record that is not what it was when it was signed, or that contradicts others.
type BadRecordError struct {
	Stream   string
	Sequence uint64 // 0 when it is about no record in particular
	Line     int    // of the export; 0 is what is no export
	Reason   string
}

// Error implements error.
func (e *BadRecordError) Error() string {
	switch {
	case e.Stream == "" && e.Line == 0:
		return e.Reason
	case e.Stream == "":
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	case e.Sequence == 0:
		return fmt.Sprintf("%s: %s", e.Stream, e.Reason)
	case e.Line == 0:
		return fmt.Sprintf("%s at %d: %s", e.Stream, e.Sequence, e.Reason)
	default:
		return fmt.Sprintf("%s at %d (line %d): %s", e.Stream, e.Sequence, e.Line, e.Reason)
	}
}
