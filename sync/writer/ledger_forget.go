package writer

import (
	"context"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// takeRepair has the journal forget what is lost when a repair is among records
// that were read: what is known from before may be of a copy that is gone.
func (r *reading) takeRepair(ctx context.Context, records []changelog.LedgerRecord) error {
	if !r.rereads {
		return nil
	}
	for _, record := range records {
		if _, ok := changelog.RepairOf(record); !ok {
			continue
		}
		if err := r.ledger.reread(ctx, record.Sequence); err != nil {
			return err
		}
	}
	return nil
}

// reread replaces what is known by what the stream has, unless that was read after
// the repair at a sequence.
func (j *Ledger) reread(ctx context.Context, repair uint64) error {
	if j.knowsRepair(repair) {
		return nil
	}
	fresh := &Ledger{conn: j.conn, name: j.name}
	if err := fresh.catchUp(ctx); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.repaired < repair { // else another reader was faster
		j.known, j.judged, j.noise = fresh.known, fresh.judged, fresh.noise
		j.noted, j.repaired = fresh.noted, fresh.repaired
	}
	return nil
}

func (j *Ledger) knowsRepair(sequence uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.repaired >= sequence
}

// forgetNoise forgets the noise behind the newest record when the stream ends
// before it, as one that was made again by a repair does. It reports whether that
// is enough.
func (j *Ledger) forgetNoise(end uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	head := j.head().Sequence
	if end < head {
		return false
	}
	if end < j.judged {
		j.judged = head
		j.noise = j.noise.UpTo(head)
	}
	return true
}

// Foreign returns what was read that no publisher signed for its place.
func (j *Ledger) Foreign() flagsync.Foreign {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.noise
}
