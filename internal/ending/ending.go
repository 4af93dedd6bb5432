// Package ending ends a process in order on a first signal, and at once on a second: then with nothing left behind that only this process
// would ever remove. It is apart from package lifecycle because signals are for main, while the parts that run know none.
//
// # Concurrency properties
//
// Everything may be called at any time. What is left is known for the process as a whole, because that is what a signal ends.
package ending

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// OnSignal calls run with a context that SIGINT or SIGTERM ends, and returns what run returns. A second signal calls what AtOnce was given and
// ends the process by that signal. It is called once.
func OnSignal(run func(ctx context.Context) int) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ended:
			return
		}
		select {
		case second := <-signals:
			end(second)
		case <-ended:
		}
	}()
	return run(ctx)
}

// end removes what is left and ends the process as the signal would have.
func end(by os.Signal) {
	left.removeAll()
	signal.Reset(by)
	if own, err := os.FindProcess(os.Getpid()); err == nil {
		_ = own.Signal(by) // if it fails, the process ends in order
	}
}

// AtOnce says what to do if a second signal ends the process before it has done so in order. remove must be quick and wait for nothing; it
// may be called while the process still works. forget is to be called when there is nothing left to remove.
func AtOnce(remove func()) (forget func()) {
	return left.add(remove)
}

// left is what this process has to remove.
var left = leftovers{removals: make(map[*func()]struct{})}

// leftovers are the removals that are still to be done.
type leftovers struct {
	mu       sync.Mutex
	removals map[*func()]struct{} // guarded by mu
}

func (l *leftovers) add(remove func()) (forget func()) {
	key := &remove
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removals[key] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.removals, key)
	}
}

// removeAll does every removal. The lock stays taken: nothing is added any more.
func (l *leftovers) removeAll() {
	l.mu.Lock()
	for remove := range l.removals {
		(*remove)()
	}
}
