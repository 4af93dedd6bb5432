// Package logcondition names what is wrong with a change log that is followed, for anyone who follows it.
package logcondition

import (
	"errors"
	"time"

	"github.com/flagside/flagside/internal/health"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
)

// foreignLimit is how long a foreign message is news.
const foreignLimit = time.Hour

// History returns the condition of a log that does not continue what is known.
func History(err error) health.Code {
	switch {
	case errors.Is(err, follow.ErrRegressed):
		return health.LogRegressed
	case errors.Is(err, follow.ErrForked):
		return health.LogForked
	case errors.Is(err, follow.ErrIncomplete):
		return health.EpochIncomplete
	default:
		return health.DifferentHistory
	}
}

// Foreign returns the detail of [health.ForeignMessages]: which messages no publisher has signed. It is empty without any, and an hour after the last.
func Foreign(f flagsync.Foreign, now time.Time) string {
	if f.Messages == 0 || now.Sub(f.Since) > foreignLimit {
		return ""
	}
	return f.String()
}
