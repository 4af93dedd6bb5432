package cache

import (
	"slices"
	"sync"
	"time"
)

// Code names a kind of condition.
type Code string

// The conditions of the disk. With any of them the Store keeps serving.
const (
	// CodeDiskUnavailable tells that the directory cannot be used and nothing
	// is stored. It ends when the directory can be used again.
	CodeDiskUnavailable Code = "disk-unavailable"
	// CodeDiskBehind tells that a write failed and the disk holds an older state
	// than is served. It ends with the next snapshot that is written.
	CodeDiskBehind Code = "disk-behind"
	// CodeDiskDamaged tells that a file could not be believed when the state was
	// restored. It lasts until the process ends.
	CodeDiskDamaged Code = "disk-damaged"
)

// Condition is something wrong with the disk that an operator should know.
type Condition struct {
	Code   Code
	Detail string // one sentence, with the path
	Since  time.Time
}

// conditions is what is wrong at the moment. It is safe for concurrent use.
type conditions struct {
	mu      sync.Mutex
	current []Condition
}

// raise adds a condition, or renews the detail of one that lasts.
func (c *conditions) raise(code Code, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.current, func(known Condition) bool { return known.Code == code })
	if i >= 0 && code != CodeDiskDamaged {
		c.current[i].Detail = err.Error()
		return
	}
	c.current = append(c.current, Condition{Code: code, Detail: err.Error(), Since: time.Now()})
}

// clear ends all conditions with the code.
func (c *conditions) clear(code Code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = slices.DeleteFunc(c.current, func(known Condition) bool { return known.Code == code })
}

func (c *conditions) list() []Condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.current)
}
