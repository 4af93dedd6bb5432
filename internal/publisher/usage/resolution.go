package usage

import (
	"strconv"
	"time"
)

// Resolution is how long the time of one segment is.
type Resolution string

// The resolutions.
const (
	Minute Resolution = "minute"
	Hour   Resolution = "hour"
	Day    Resolution = "day" // in UTC
)

// Resolutions returns all of them, the finest first.
func Resolutions() []Resolution { return []Resolution{Minute, Hour, Day} }

// Length returns how long the time of one segment is.
func (r Resolution) Length() time.Duration {
	switch r {
	case Minute:
		return time.Minute
	case Hour:
		return time.Hour
	default:
		return 24 * time.Hour
	}
}

// Kept returns how long after its end a segment can be added to. It is removed an hour later, unless it was written since.
func (r Resolution) Kept() time.Duration {
	switch r {
	case Minute:
		return 48 * time.Hour
	case Hour:
		return 35 * 24 * time.Hour
	default:
		return 400 * 24 * time.Hour
	}
}

// Expires returns how long a segment is kept after it was written.
func (r Resolution) Expires() time.Duration { return r.Kept() + r.Length() + time.Hour }

// ID names a segment.
type ID struct {
	Resolution Resolution
	Start      int64 // seconds of Unix time
}

// At returns the segment of a resolution that a time lies in.
func (r Resolution) At(t time.Time) ID {
	length := int64(r.Length() / time.Second)
	seconds := t.Unix()
	return ID{Resolution: r, Start: seconds - (seconds%length+length)%length}
}

// Time returns when the segment begins.
func (id ID) Time() time.Time { return time.Unix(id.Start, 0).UTC() }

// Next returns the segment behind it.
func (id ID) Next() ID {
	return ID{Resolution: id.Resolution, Start: id.Start + int64(id.Resolution.Length()/time.Second)}
}

// String returns the name as a part of a subject.
func (id ID) String() string { return string(id.Resolution) + "." + strconv.FormatInt(id.Start, 10) }
