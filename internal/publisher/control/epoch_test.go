package control_test

import (
	"context"
	"errors"
	"testing"

	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// newEpoch is one that writes what is held again, although it is not certain that this is the newest state.
func (r *replica) newEpoch(write func(context.Context) error) control.NewEpoch {
	held := decide.WithoutKeys(r.store.View())
	return control.NewEpoch{
		Epoch:  decide.Epoch{Wanted: held, Held: held, BreakGlass: true},
		Ledger: func(context.Context) (control.Ledger, error) { return r.journal, nil },
		Write: func(ctx context.Context, _ decide.Epoch, begun func(context.Context) error) (changelog.Position, error) {
			if err := begun(ctx); err != nil {
				return changelog.Position{}, err
			}
			return changelog.Position{}, write(ctx)
		},
	}
}

// The ledger has the record of a new epoch before it is written, so that one which was interrupted is known to all, and its review is open.
func TestANewEpochIsRecordedFirst(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one, other := newReplica(t, url), newReplica(t, url)
	one.force("f", "held")
	admin := person("admin")
	admin.Reason = "the disk is gone"
	begun := ""
	_, err := one.Begin(t.Context(), admin, one.newEpoch(func(ctx context.Context) error {
		all, err := other.Requests(ctx)
		if err != nil || len(all) == 0 || !all[len(all)-1].ReviewOpen() {
			t.Errorf("before it is written the ledger has %+v, %v", all, err)
			return errCrashed
		}
		begun = all[len(all)-1].ID
		return errCrashed
	}))
	if !errors.Is(err, errCrashed) {
		t.Fatalf("it ended with %v", err)
	}
	r, err := other.Request(t.Context(), begun)
	if err != nil || r.Status != requests.Failed || !r.ReviewOpen() || r.Proposal.Author.ID != "admin" || r.Reason != "the disk is gone" || len(r.Proposal.Changes) != 1 {
		t.Errorf("an interrupted epoch is %+v, %v", r, err)
	}
	if _, err := other.HandleRequest(t.Context(), admin, decide.Review{Request: begun}); !isRefused(err, decide.CauseForbidden) {
		t.Errorf("a review of one's own: %v", err)
	}
	if r, err = other.HandleRequest(t.Context(), person("approver"), decide.Review{Request: begun}); err != nil || r.ReviewOpen() {
		t.Errorf("reviewed: %+v, %v", r, err)
	}
}

// Nothing is written that the ledger does not take.
func TestNoNewEpochWithoutARecord(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	one.force("f", "held")
	n := one.newEpoch(func(context.Context) error {
		t.Error("it is written")
		return nil
	})
	n.Ledger = func(context.Context) (control.Ledger, error) {
		return crashingLedger{one.journal, crashAfter(0)}, nil
	}
	admin := person("admin")
	admin.Reason = "the disk is gone"
	if _, err := one.Begin(t.Context(), admin, n); !errors.Is(err, errCrashed) {
		t.Errorf("it ended with %v", err)
	}
}
