package flagsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/flagside/flagside/sync/changelog"
)

// MaxFact is how many bytes a fact of a [Journal] may have.
const MaxFact = 768 << 10

// Errors of a [Journal].
var (
	// ErrConflict means that another fact stands where this one belongs. Nothing
	// of it was stored, and nothing will be.
	ErrConflict = errors.New("another fact took the place")
	// ErrUndecided means that time ran out before it was known whether the fact
	// was stored. It may still be: append it again with the same base and op-id.
	ErrUndecided = errors.New("it is undecided whether the fact was stored")
	// ErrDamaged means that a fact cannot be read, or does not continue the one
	// before it.
	ErrDamaged = errors.New("a damaged fact")
)

// JournalName says which journal is meant. The zero value names none.
type JournalName struct{ stream, subject, environment string }

// Ledger names the journal of what people decided about one environment.
func Ledger(environment string) JournalName {
	return JournalName{ledgerStream(environment), ledgerSubject(environment) + ".records", environment}
}

// Control names the journal of what is global: principals and their tokens.
func Control() JournalName {
	return JournalName{stream: controlStream, subject: controlSubject + ".records"}
}

// Fact is one record of a journal.
type Fact struct {
	// Sequence orders facts. It grows, and may skip numbers.
	Sequence uint64
	// OpID is that of the append.
	OpID string
	// Body is a JSON value.
	Body []byte
	// Digest is that of the bytes of the record, which name the digest of the
	// record before.
	Digest changelog.Digest
}

// Journal is a list of facts that only grows, chained by digests, in which each
// is appended after the newest that its author knows: compare-and-set. It is
// safe for concurrent use.
type Journal struct {
	conn *Conn
	name JournalName

	mu    sync.Mutex
	known link // the newest fact that was read or appended
}

// link is where a journal goes on: after the fact with this sequence and
// digest. The zero value is its beginning.
type link struct {
	sequence uint64
	digest   changelog.Digest
}

// OpenJournal opens a journal. It creates CONTROL if need be; the stream of a
// ledger is made with its environment, and one that is gone is [ErrStreamLost].
// replicas is 1, 3 or 5.
func OpenJournal(ctx context.Context, c *Conn, name JournalName, replicas int) (*Journal, error) {
	if err := validateReplicas(replicas); err != nil {
		return nil, err
	}
	var err error
	switch {
	case name == JournalName{}:
		return nil, errors.New("open journal: it has no name")
	case name.environment == "":
		_, err = c.createStream(ctx, controlConfig(replicas))
	default:
		if err = ValidateEnvironment(name.environment); err == nil {
			_, err = c.openStream(ctx, ledgerConfig(name.environment, replicas))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &Journal{conn: c, name: name}, nil
}

// Read returns the facts from a sequence on, oldest first, up to the newest that
// the leader has when it begins. It ends with the first error; one that wraps
// [ErrDamaged] names the place.
func (j *Journal) Read(ctx context.Context, from uint64) iter.Seq2[Fact, error] {
	return func(yield func(Fact, error) bool) {
		last, err := j.last(ctx)
		if err != nil {
			yield(Fact{}, err)
			return
		}
		before, linked := j.before(from)
		for m, err := range j.conn.messages(ctx, j.name.stream, max(from, 1), last) {
			if err == nil && m.Subject != j.name.subject {
				continue // CONTROL holds other things too
			}
			var fact Fact
			if err == nil {
				fact, err = j.decode(m, before, linked)
			}
			if err != nil {
				yield(Fact{}, err)
				return
			}
			before, linked = link{fact.Sequence, fact.Digest}, true
			j.remember(before)
			if !yield(fact, nil) {
				return
			}
		}
	}
}

// Fact returns the fact at a sequence, as the leader has it.
func (j *Journal) Fact(ctx context.Context, sequence uint64) (Fact, error) {
	m, err := j.conn.message(ctx, j.name.stream, sequence)
	if err == nil && m.Subject != j.name.subject {
		err = errNoMessage
	}
	if err != nil {
		return Fact{}, fmt.Errorf("read journal at %d: %w", sequence, err)
	}
	return j.decode(m, link{}, false)
}

// last returns the sequence that the stream ends with, from a leader that has
// its majority. It is an error that the stream had more.
func (j *Journal) last(ctx context.Context) (uint64, error) {
	j.mu.Lock()
	known := j.known.sequence // before the question: others may append meanwhile
	j.mu.Unlock()
	info, err := j.conn.info(ctx, j.name.stream)
	switch {
	case hasCode(err, codeStreamNotFound):
		return 0, fmt.Errorf("read journal: %w", lost(j.name.stream))
	case err != nil:
		return 0, fmt.Errorf("read journal: %w", err)
	}
	if err := info.verifyLease(); err != nil {
		return 0, fmt.Errorf("read journal: %w: %w", ErrUnreachable, err)
	}
	if last := info.State.LastSequence; last < known {
		return 0, fmt.Errorf("read journal: %w: %s ends at %d and had a fact at %d: the server lags behind, or an earlier copy took its place",
			ErrUnreachable, j.name.stream, last, known)
	}
	return info.State.LastSequence, nil
}

// before returns what the first fact from a sequence on must continue, if that
// is known.
func (j *Journal) before(from uint64) (link, bool) {
	if from <= 1 {
		return link{}, true
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.known, j.known.sequence+1 == from
}

func (j *Journal) remember(l link) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if l.sequence > j.known.sequence {
		j.known = l
	}
}

// decode takes a fact apart. It refuses one that does not continue what stands
// before it, if linked.
func (j *Journal) decode(m storedMessage, before link, linked bool) (Fact, error) {
	e, err := decodeFactEnvelope(m.Data)
	if err == nil && linked && e.Prev != before.digest {
		err = fmt.Errorf("it continues %s, and %s stands before it", e.Prev, before.digest)
	}
	if err != nil {
		return Fact{}, fmt.Errorf("%w: %s at %d: %w", ErrDamaged, j.name.stream, m.Sequence, err)
	}
	return Fact{Sequence: m.Sequence, OpID: e.OpID, Body: e.Fact, Digest: changelog.Sum(m.Data)}, nil
}
