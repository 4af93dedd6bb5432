package waiting_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/internal/waiting"
)

// recorder is a test that may fail.
type recorder struct {
	testing.TB

	text strings.Builder
}

func (*recorder) Helper() {}

func (r *recorder) Log(args ...any) { fmt.Fprintln(&r.text, args...) }

func (r *recorder) Fatalf(format string, args ...any) {
	fmt.Fprintf(&r.text, format, args...)
	runtime.Goexit()
}

// outcome returns what a test fails with that tries something, and how long it took.
func outcome(what string, try func() error, evidence ...fmt.Stringer) (failure string, took time.Duration) {
	r, begin, ended := new(recorder), time.Now(), make(chan struct{})
	go func() {
		defer close(ended)
		waiting.UntilNil(r, what, try, evidence...)
	}()
	<-ended
	return r.text.String(), time.Since(begin)
}

func TestUntilNil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		failure, took := outcome("the fifth look", func() error {
			if looks++; looks < 5 {
				return errors.New("not yet")
			}
			return nil
		})
		if failure != "" || looks != 5 || took > waiting.Patience {
			t.Errorf("%q after %d looks and %s", failure, looks, took)
		}
		log := new(strings.Builder)
		log.WriteString("the log")
		failure, took = outcome("peace", func() error { return errors.New("war") }, log)
		if want := "the log\nwaited in vain for peace: war"; failure != want || took < waiting.Patience {
			t.Errorf("failed with %q after %s, want %q", failure, took, want)
		}
	})
}

func TestUntil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		waiting.Until(t, "the fifth look", func() bool { looks++; return looks == 5 })
		if looks != 5 {
			t.Errorf("%d looks, want 5", looks)
		}
	})
}
