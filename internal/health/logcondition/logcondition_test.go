package logcondition_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/health/logcondition"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	for want, err := range map[health.Code]error{
		health.LogRegressed:     follow.ErrRegressed,
		health.LogForked:        follow.ErrForked,
		health.EpochIncomplete:  follow.ErrIncomplete,
		health.DifferentHistory: errors.New("another one"),
	} {
		if got := logcondition.History(fmt.Errorf("log: %w", err)); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

func TestForeignMessagesAreNewsForAnHour(t *testing.T) {
	t.Parallel()
	now := time.Now()
	if got := logcondition.Foreign(flagsync.Foreign{Since: now}, now); got != "" {
		t.Errorf("no message: %q", got)
	}
	f := flagsync.Foreign{Messages: 3, Since: now.Add(-time.Hour)}
	if got := logcondition.Foreign(f, now); got != f.String() || got == "" {
		t.Errorf("after an hour: %q", got)
	}
	if got := logcondition.Foreign(f, now.Add(1)); got != "" {
		t.Errorf("after more than an hour: %q", got)
	}
}
