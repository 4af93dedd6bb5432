package follow

import (
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	flagsync "github.com/flagside/flagside/sync"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

// What requests behind a breaker may take all in all.
const (
	leaderLimit   = 2 * jetstream.RequestTimeout // two requests at most
	entriesLimit  = time.Minute                  // a megabyte over a slow line, of a busy server
	manifestLimit = 2 * jetstream.RequestTimeout
	chunkLimit    = 2 * jetstream.RequestTimeout
)

// readRetryMax is the longest pause before a read is repeated: readers are many.
const readRetryMax = time.Second

// isUnreachable tells that no server answered.
func isUnreachable(err error) bool { return errors.Is(err, flagsync.ErrUnreachable) }

// isLeaderFailure tells that the leader did not say where the log ends.
func isLeaderFailure(err error) bool { return !errors.Is(err, errNoEntry) }

// isEntriesFailure tells that a read of the log failed. That a replica has
// nothing is an answer.
func isEntriesFailure(err error) bool { return !errors.Is(err, jetstream.ErrNoMessage) }

// newChunkRetries repeats the read of a chunk: a replica may be behind, and
// servers may be too busy.
func newChunkRetries() []failsafe.Policy[any] {
	return []failsafe.Policy[any]{newRetries(flagsync.ErrUnreachable, chunkSlowness), newRetries(jetstream.ErrNoMessage, chunkPatience)}
}

// newRetries repeats what fails for a reason, with growing pauses, until it has
// taken so long.
func newRetries(reason error, most time.Duration) failsafe.Policy[any] {
	return retrypolicy.NewBuilder[any]().
		HandleErrors(reason).
		WithBackoff(jetstream.RetryMin, readRetryMax).WithJitterFactor(0.5).
		WithMaxRetries(-1).WithMaxDuration(most).
		ReturnLastFailure().
		Build()
}
