package access_test

import (
	"context"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// repairable is a journal of which records can get lost. Followers are told of everything by tell.
type repairable struct {
	mu      sync.Mutex
	records []writer.Record
	last    uint64
	tell    chan struct{}
}

func (j *repairable) Append(_ context.Context, _ uint64, op string, body []byte) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	j.records = append(j.records, writer.Record{Sequence: j.last, OpID: op, Body: body, Prev: changelog.Anchor{Sequence: j.last - 1}})
	return j.last, nil
}

func (j *repairable) Read(_ context.Context, from uint64) iter.Seq2[writer.Record, error] {
	j.mu.Lock()
	defer j.mu.Unlock()
	records := append([]writer.Record(nil), j.records...)
	return func(yield func(writer.Record, error) bool) {
		for _, r := range records {
			if r.Sequence >= from && !yield(r, nil) {
				return
			}
		}
	}
}

func (j *repairable) Follow(ctx context.Context, from uint64, apply func(writer.Record) error) error {
	for {
		for r, err := range j.Read(ctx, from) {
			if err == nil {
				err = apply(r)
			}
			if err != nil {
				return err
			}
			from = r.Sequence + 1
		}
		select {
		case <-ctx.Done():
			return nil
		case <-j.tell:
		}
	}
}

// loseEnd drops all records but the first ones, and repairs the journal.
func (j *repairable) loseEnd(t *testing.T, keep int) {
	t.Helper()
	body, err := changelog.LedgerRepair{Actor: "operator"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	j.records = append(j.records[:keep:keep], writer.Record{Sequence: j.last, Body: body})
}

// After a repair, a token that was lost is one no more. One whose revocation was lost stays revoked where that is known, and can be revoked again
// for everybody else.
func TestTokensAfterARepair(t *testing.T) {
	t.Parallel()
	journal := &repairable{tell: make(chan struct{})}
	tokens := runTokens(t, journal, time.Now)
	author := access.Principal{ID: "admin", Groups: []string{access.RoleAdmin}}
	create := func(name string) access.Token {
		t.Helper()
		created, _, err := tokens.Create(t.Context(), author, access.NewToken{Name: name, Groups: []string{access.RoleViewer}})
		if err != nil {
			t.Fatal(err)
		}
		return created
	}
	kept := create("kept")
	create("lost")
	if _, err := tokens.Revoke(t.Context(), author, kept.ID, access.Why{}); err != nil {
		t.Fatal(err)
	}
	journal.loseEnd(t, 1)
	journal.tell <- struct{}{}
	waiting.Until(t, "the lost token to be gone", func() bool {
		list, err := tokens.List()
		return err == nil && len(list) == 1 && list[0].ID == kept.ID && !list[0].Revoked.IsZero()
	})
	other := runTokens(t, journal, time.Now)
	revoked := func() bool {
		list, err := other.List()
		return err == nil && len(list) == 1 && !list[0].Revoked.IsZero()
	}
	if revoked() {
		t.Fatal("the revocation is not lost")
	}
	for range 2 { // the second one changes nothing
		if _, err := tokens.Revoke(t.Context(), author, kept.ID, access.Why{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // both followers
		journal.tell <- struct{}{}
	}
	waiting.Until(t, "the revocation at another publisher", func() bool {
		select {
		case journal.tell <- struct{}{}:
		default:
		}
		return revoked()
	})
	if n := len(journal.records); n != 3 {
		t.Errorf("the journal has %d records, want the token, the repair and one revocation", n)
	}
}
