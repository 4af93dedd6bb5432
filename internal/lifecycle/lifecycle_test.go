package lifecycle_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/internal/lifecycle"
)

var errBroken = errors.New("broken")

// waiting is a part that ends in order, some time after it was stopped.
func waiting(name string, pause time.Duration, ended chan<- string) lifecycle.Part {
	return lifecycle.Part{Name: name, Run: func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(pause)
		ended <- name
		return nil
	}}
}

// failing is a part that returns err after some time.
func failing(name string, after time.Duration, err error) lifecycle.Part {
	return lifecycle.Part{Name: name, Run: func(context.Context) error {
		time.Sleep(after)
		return err
	}}
}

// Parts that are started together stop together, so the slowest decides how long it takes; what was started before stops after all of them.
func TestPartsStopInReverse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		group, _ := lifecycle.New(t.Context())
		ended := make(chan string, 4)
		group.Start(waiting("first", time.Second, ended))
		group.Start(waiting("slowest", 5*time.Second, ended), waiting("slow", 4*time.Second, ended), waiting("quick", 0, ended))
		began := time.Now()
		if err := group.Stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("stopping took %v", took)
		}
		close(ended)
		var order []string
		for name := range ended {
			order = append(order, name)
		}
		if want := []string{"quick", "slow", "slowest", "first"}; !slices.Equal(order, want) {
			t.Errorf("they ended in the order %v, want %v", order, want)
		}
	})
}

// The end of the program's context stops no part: what ends first is for Stop to decide.
func TestPartsOutliveTheContextOfTheProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		program, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		group, running := lifecycle.New(program)
		ended := make(chan string, 1)
		group.Start(lifecycle.Part{Name: "part", Run: func(ctx context.Context) error {
			if ctx.Value(key{}) != "value" {
				t.Error("the part does not get the values of the context")
			}
			return waiting("part", 0, ended).Run(ctx)
		}})
		cancel()
		<-running.Done()
		synctest.Wait()
		if len(ended) != 0 {
			t.Fatal("the part ended with the context of the program")
		}
		if err := group.Stop(); err != nil || len(ended) != 1 {
			t.Errorf("stopped with %v, %d parts ended", err, len(ended))
		}
	})
}

// The first part that fails ends the program, and is named.
func TestTheFirstFailureEndsTheProgram(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		returned error
		is       error
		text     string
	}{
		"an error":     {errBroken, errBroken, "second: broken"},
		"ends unasked": {nil, lifecycle.ErrEnded, "second: it has ended by itself"},
		"gives up":     {context.Canceled, context.Canceled, "second: context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				group, running := lifecycle.New(t.Context())
				ended := make(chan string, 2)
				group.Start(waiting("first", 0, ended))
				group.Start(failing("second", time.Minute, test.returned), waiting("third", 0, ended))
				group.Start(failing("late", time.Hour, errors.New("late")))
				began := time.Now()
				<-running.Done()
				if took := time.Since(began); took != time.Minute {
					t.Errorf("the program ended after %v", took)
				}
				if cause := context.Cause(running); !errors.Is(cause, test.is) || cause.Error() != test.text {
					t.Errorf("the cause is %q, want %q", cause, test.text)
				}
				if err := group.Stop(); !errors.Is(err, test.is) || err.Error() != "late: late\n"+test.text {
					t.Errorf("stopped with %q", err)
				}
				if len(ended) != 2 {
					t.Errorf("%d of 2 other parts ended", len(ended))
				}
			})
		})
	}
}

// A part that is stopped may say that its context has ended; any other error counts.
func TestErrorsOfTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		group, _ := lifecycle.New(t.Context())
		atEnd := func(name string, err error) lifecycle.Part {
			return lifecycle.Part{Name: name, Run: func(ctx context.Context) error { <-ctx.Done(); return err }}
		}
		group.Start(atEnd("obeys", context.Canceled), atEnd("breaks", errBroken))
		if err := group.Stop(); !errors.Is(err, errBroken) || err.Error() != "breaks: broken" {
			t.Errorf("stopped with %q", err)
		}
		if err := group.Stop(); err != nil {
			t.Errorf("stopped again with %v", err)
		}
	})
}

func TestEvery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var at []time.Duration
		began := time.Now()
		err := lifecycle.Every(ctx, time.Second, func(got context.Context) {
			at = append(at, time.Since(began))
			switch len(at) {
			case 2:
				time.Sleep(1500 * time.Millisecond)
			case 4:
				cancel()
			}
			if got != ctx {
				t.Error("it gets another context")
			}
		})
		want := []time.Duration{time.Second, 2 * time.Second, 3500 * time.Millisecond, 4 * time.Second}
		if err != nil || !slices.Equal(at, want) {
			t.Errorf("called at %v, %v; want %v", at, err, want)
		}
	})
}
