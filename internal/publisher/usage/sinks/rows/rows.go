package rows

import "time"

// Series is one of the three tables.
type Series string

// The series.
const (
	Counts    Series = "counts"
	Exposures Series = "exposures"
	Outcomes  Series = "outcomes"
)

// All returns all series.
func All() []Series { return []Series{Counts, Exposures, Outcomes} }

// Origin is where a row comes from. Boot and Number name the report: a row that comes again has the same.
type Origin struct {
	Boot        string `parquet:"report_boot,dict"`
	Number      int64  `parquet:"report_number"`
	Application string `parquet:"application,dict"`
	Release     string `parquet:"application_version,dict"`
	Namespace   string `parquet:"namespace,dict"`
	Pod         string `parquet:"pod,dict"`
}

// Count is how often something was answered between two times. Times are milliseconds since 1970, in UTC.
type Count struct {
	Time        int64  `parquet:"time,timestamp(millisecond)"` // of its end, by the clock of the sidecar, within the 72 hours before it was received
	Began       int64  `parquet:"began,timestamp(millisecond)"`
	Received    int64  `parquet:"received,timestamp(millisecond)"`
	Flag        string `parquet:"flag,dict"`
	Revision    int64  `parquet:"revision"` // of the flag; 0 if it was in no log
	Epoch       string `parquet:"epoch,dict"`
	Variant     string `parquet:"variant,dict"`
	Reason      string `parquet:"reason,dict"`
	Code        string `parquet:"error_code,dict"`
	Rule        int32  `parquet:"rule"`
	Bulk        bool   `parquet:"bulk"`
	Evaluations int64  `parquet:"evaluations"`
	Origin
}

// Exposure says that a subject was given a variant.
type Exposure struct {
	Time     int64  `parquet:"time,timestamp(millisecond)"`
	Received int64  `parquet:"received,timestamp(millisecond)"`
	Flag     string `parquet:"flag,dict"`
	Variant  string `parquet:"variant,dict"`
	Revision int64  `parquet:"revision"`
	Epoch    string `parquet:"epoch,dict"`
	Rule     int32  `parquet:"rule"`
	Subject  string `parquet:"subject"` // a hash
	Origin
}

// Outcome is something that happened to a subject.
type Outcome struct {
	Time     int64    `parquet:"time,timestamp(millisecond)"`
	Received int64    `parquet:"received,timestamp(millisecond)"`
	Event    string   `parquet:"event,dict"`
	Subject  string   `parquet:"subject"` // a hash; empty if there was none
	Value    float64  `parquet:"value"`
	Error    bool     `parquet:"error"`
	Flags    []string `parquet:"flags,list"`
	Origin
}

// Hour is an hour in UTC: hours since 1970.
type Hour int64

// HourOf returns the hour of a time in milliseconds.
func HourOf(milliseconds int64) Hour { return Hour(milliseconds / time.Hour.Milliseconds()) }

// Time returns its begin.
func (h Hour) Time() time.Time { return time.UnixMilli(int64(h) * time.Hour.Milliseconds()).UTC() }

// Hours has rows by the hour of their time, in the order in which they came.
type Hours[T any] map[Hour][]T

func (h Hours[T]) add(at int64, row T) { h[HourOf(at)] = append(h[HourOf(at)], row) }

// Tables are the rows of some reports. Create them with New.
type Tables struct {
	Counts    Hours[Count]
	Exposures Hours[Exposure]
	Outcomes  Hours[Outcome]

	seen map[id]bool
}

// id names a report.
type id struct {
	boot string
	n    uint64
}

// New returns tables without rows.
func New() *Tables {
	return &Tables{Counts: make(Hours[Count]), Exposures: make(Hours[Exposure]), Outcomes: make(Hours[Outcome]), seen: make(map[id]bool)}
}
