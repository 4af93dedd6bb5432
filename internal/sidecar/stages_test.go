package sidecar

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The parts of a stage end together, so the slowest decides how long it takes, and the stage before ends after all of them.
func TestPartsOfAStageEndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := stages{base: t.Context(), fail: func(error) { t.Error("a stage failed") }}
		ended := make(chan string, 4)
		part := func(name string, pause time.Duration) func(context.Context) error {
			return func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(pause)
				ended <- name
				return nil
			}
		}
		running.begin(part("first", time.Second))
		running.begin(part("slowest", 5*time.Second), part("slow", 4*time.Second), part("quick", 0))
		began := time.Now()
		if err := running.end(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("the end took %v", took)
		}
		for _, want := range []string{"quick", "slow", "slowest", "first"} {
			if got := <-ended; got != want {
				t.Errorf("%s ended where %s should have", got, want)
			}
		}
	})
}

// The error of any part of a stage ends the sidecar, and is among those of its end.
func TestPartsOfAStageFail(t *testing.T) {
	broken := errors.New("broken")
	ctx, fail := context.WithCancelCause(t.Context())
	running := stages{base: t.Context(), fail: fail}
	running.begin(
		func(ctx context.Context) error { <-ctx.Done(); return nil },
		func(context.Context) error { return broken },
	)
	<-ctx.Done()
	if err := running.end(); !errors.Is(context.Cause(ctx), broken) || !errors.Is(err, broken) {
		t.Errorf("the cause is %v, the end %v", context.Cause(ctx), err)
	}
}
