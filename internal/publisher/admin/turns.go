package admin

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/publisher/api"
)

const (
	// evaluatedAtOnce is how many requests are evaluated at once, so that decisions on changes keep most of the processor.
	evaluatedAtOnce = 8
	// evaluatingShare is how many requests of one caller are evaluated or wait.
	evaluatingShare = 4
	// evaluatingWait is how long a request waits for its turn.
	evaluatingWait = 2 * time.Second
)

// turns bound how many requests are evaluated at once. Create them with newTurns. Safe for concurrent use.
type turns struct {
	places chan struct{}

	mu sync.Mutex
	by map[string]int // requests that are evaluated or wait, by caller
}

func newTurns() *turns {
	return &turns{places: make(chan struct{}, evaluatedAtOnce), by: make(map[string]int)}
}

// take waits for the turn of a request of a caller, who calls end once it is over. The error is a *problem, or that of ctx.
func (t *turns) take(ctx context.Context, caller string) (end func(), err error) {
	if !t.add(caller) {
		return nil, newProblem(http.StatusTooManyRequests, api.ProblemTooMany,
			fmt.Sprintf("You have %d evaluations under way, which is as many as one caller may have: wait for one of them.", evaluatingShare)).later()
	}
	patience := time.NewTimer(evaluatingWait)
	defer patience.Stop()
	select {
	case t.places <- struct{}{}:
		return func() {
			<-t.places
			t.remove(caller)
		}, nil
	case <-patience.C:
		err = newProblem(http.StatusServiceUnavailable, api.ProblemUnavailable,
			fmt.Sprintf("This publisher evaluates %d requests at once, and others came first: try again.", evaluatedAtOnce)).later()
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.remove(caller)
	return nil, err
}

func (t *turns) add(caller string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by[caller] >= evaluatingShare {
		return false
	}
	t.by[caller]++
	return true
}

func (t *turns) remove(caller string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by[caller]--; t.by[caller] == 0 {
		delete(t.by, caller)
	}
}
