package waiting

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

const (
	// Patience is how long a test waits for what must happen: longer than anything takes on a machine that is busy with other tests.
	Patience = time.Minute
	// pause is the time between two looks.
	pause = 2 * time.Millisecond
)

// errNot is what Until waits for in vain.
var errNot = errors.New("it did not happen")

// Until waits until a condition holds. It ends the test if it does not within Patience, and shows what may tell why.
func Until(tb testing.TB, what string, holds func() bool, evidence ...fmt.Stringer) {
	tb.Helper()
	UntilNil(tb, what, func() error {
		if holds() {
			return nil
		}
		return errNot
	}, evidence...)
}

// UntilNil is Until for what says why it does not hold.
func UntilNil(tb testing.TB, what string, try func() error, evidence ...fmt.Stringer) {
	tb.Helper()
	for deadline := time.Now().Add(Patience); ; time.Sleep(pause) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			for _, shown := range evidence {
				tb.Log(shown)
			}
			tb.Fatalf("waited in vain for %s: %v", what, err)
		}
	}
}
