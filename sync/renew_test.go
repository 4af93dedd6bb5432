package flagsync_test

import (
	"context"
	"errors"
	"testing"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// A new epoch that was made from a state is not written over a change that came since.
func TestANewEpochLosesNoNewerChange(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	known := l.fill(t, "f", 2)
	newer := l.write(t, put("g", `{}`))
	environments, err := writer.OpenEnvironments(t.Context(), l.conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	r := renewal("op", put("f0", `{}`))
	r.Onto = &changelog.Position{}
	if _, err := environments.Recreate(t.Context(), environment, r); !errors.Is(err, writer.ErrConflict) || l.head(t) != newer {
		t.Errorf("as if there were no log: %v, the log ends at %v", err, l.head(t))
	}
	r.Onto = &known
	if _, err := environments.Recreate(t.Context(), environment, r); !errors.Is(err, writer.ErrConflict) || l.head(t) != newer {
		t.Errorf("over a newer change: %v, the log ends at %v", err, l.head(t))
	}
	r.Onto = &newer
	if at, err := environments.Recreate(t.Context(), environment, r); err != nil || at.Epoch == newer.Epoch {
		t.Errorf("over what is there: %v, %v", at, err)
	}
}

// What stops before anything is written leaves the log as it is.
func TestANewEpochThatMayNotBegin(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	known := l.fill(t, "f", 1)
	environments, err := writer.OpenEnvironments(t.Context(), l.conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("the ledger does not take it")
	r := renewal("op", put("f0", `{}`))
	r.Begun = func(context.Context) error { return refused }
	if _, err := environments.Recreate(t.Context(), environment, r); !errors.Is(err, refused) || l.head(t) != known {
		t.Errorf("it ended with %v, the log ends at %v", err, l.head(t))
	}
}

// A log holds exactly the positions of its own entries, those of epochs that it has left too.
func TestLogHolds(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	old := l.fill(t, "f", 2)
	l.renew(t, "renewed", put("g", `{}`))
	now := l.head(t)
	other, beyond := now, now
	other.Digest, beyond.Revision = old.Digest, now.Revision+1
	epoch := old
	epoch.Epoch = now.Epoch
	for what, f := range map[string]struct {
		at   changelog.Position
		want bool
	}{
		"the newest":       {now, true},
		"an earlier epoch": {old, true},
		"another digest":   {other, false},
		"another epoch":    {epoch, false},
		"beyond the end":   {beyond, false},
		"none":             {changelog.Position{}, false},
	} {
		if got, err := l.Holds(t.Context(), f.at); err != nil || got != f.want {
			t.Errorf("%s: %t, %v; want %t", what, got, err, f.want)
		}
	}
}
