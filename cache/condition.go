package cache

import "time"

// Code names a kind of condition.
type Code string

// The conditions of the disk. With any of them the Store keeps serving.
const (
	// CodeDiskUnavailable: the directory cannot be used, nothing is stored.
	CodeDiskUnavailable Code = "disk-unavailable"
	// CodeDiskBehind: the last write failed; the disk holds an older state than
	// is served. It ends with the next write that succeeds.
	CodeDiskBehind Code = "disk-behind"
	// CodeDiskDamaged: a file could not be believed when the Store was restored.
	CodeDiskDamaged Code = "disk-damaged"
)

// Condition is something wrong with the disk that an operator should know.
type Condition struct {
	Code   Code
	Detail string // one sentence, with the path
	Since  time.Time
}
