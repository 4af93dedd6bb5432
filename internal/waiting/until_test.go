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

// outcome returns what a test that calls do fails with, and how long it took.
func outcome(do func(testing.TB)) (failure string, took time.Duration) {
	r, begin, ended := new(recorder), time.Now(), make(chan struct{})
	go func() {
		defer close(ended)
		do(r)
	}()
	<-ended
	return r.text.String(), time.Since(begin)
}

func TestUntil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		failure, took := outcome(func(tb testing.TB) {
			waiting.Until(tb, "the fifth look", func() bool { looks++; return looks == 5 })
		})
		if failure != "" || looks != 5 || took > waiting.Patience {
			t.Errorf("%q after %d looks and %s", failure, looks, took)
		}
		log := new(strings.Builder)
		log.WriteString("the log")
		failure, took = outcome(func(tb testing.TB) { waiting.Until(tb, "nothing", func() bool { return false }, log) })
		if want := "the log\nwaited in vain for nothing: it did not happen"; failure != want || took < waiting.Patience {
			t.Errorf("failed with %q after %s, want %q", failure, took, want)
		}
	})
}

func TestUntilNil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failure, _ := outcome(func(tb testing.TB) { waiting.UntilNil(tb, "peace", func() error { return errors.New("war") }) })
		if want := "waited in vain for peace: war"; failure != want {
			t.Errorf("failed with %q, want %q", failure, want)
		}
	})
}
