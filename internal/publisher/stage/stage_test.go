package stage_test

import (
	"context"
	"errors"
	"testing"

	"github.com/flagside/flagside/internal/publisher/stage"
)

func TestStageOutlivesItsContextUntilItsEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan struct{})
	s := stage.Begin(ctx, "part", func(ctx context.Context) error {
		<-ctx.Done()
		close(ended)
		return nil
	}, cancel)
	cancel(nil)
	select {
	case <-ended:
		t.Fatal("the part ended with the context of the program")
	default:
	}
	if err := s.End(); err != nil {
		t.Errorf("end: %v", err)
	}
	<-ended
}

func TestStageThatEndsByItselfFailsTheProgram(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, returned := range []error{nil, broken} {
		ctx, cancel := context.WithCancelCause(t.Context())
		s := stage.Begin(ctx, "part", func(context.Context) error { return returned }, cancel)
		<-ctx.Done()
		err := s.End()
		if err == nil || !errors.Is(err, context.Cause(ctx)) || (returned != nil && !errors.Is(err, returned)) {
			t.Errorf("returned %v: end %v, cause %v", returned, err, context.Cause(ctx))
		}
	}
}
