package writer

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// MaxRecord is how many bytes the body of a [Record] may have.
const MaxRecord = changelog.MaxJournalBody

// Errors of a [Journal].
var (
	// ErrConflict means that another record stands where this one belongs. Nothing
	// of it was stored, and nothing will be.
	ErrConflict = errors.New("another record took the place")
	// ErrUndecided means that time ran out before it was known whether the record
	// was stored. It may still be: append it again with the same base and op-id.
	ErrUndecided = errors.New("it is undecided whether the record was stored")
	// ErrDamaged means that the journal does not go on where it should: a record
	// is missing, cannot be read, or belongs to another history. [RepairJournal]
	// goes on behind it.
	ErrDamaged = errors.New("the ledger is damaged")
)

// LedgerName says which journal is meant. The zero value names none.
type LedgerName struct{ stream, subject, environment string }

// LedgerOf names the journal of what people decided about one environment.
func LedgerOf(environment string) LedgerName {
	return LedgerName{jetstream.LedgerStream(environment), jetstream.LedgerSubject(environment) + ".records", environment}
}

// ControlLedger names the journal of what is global: environments, principals and
// their tokens.
func ControlLedger() LedgerName {
	return LedgerName{stream: jetstream.ControlStream, subject: jetstream.ControlSubject + ".records"}
}

// ledgerName returns the journal that is kept in a stream, if it is one.
func ledgerName(stream string) (name LedgerName, ok bool) {
	environment, ok := jetstream.EnvironmentOfLedger(stream)
	if environment == "" {
		return ControlLedger(), ok
	}
	return LedgerOf(environment), ok
}

// remedy says what can be done about a damage.
func (n LedgerName) remedy() string { return jetstream.LedgerRemedy(n.environment) }

// followSubject returns the subject on which records are heard when they are
// stored.
func followSubject(name LedgerName) string { return jetstream.JournalSubject + "." + name.subject }

// Record is one record of a journal. Some are of the journal itself, see
// changelog.RecordType: changelog.RecordKeys and changelog.RecordRepaired.
type Record struct {
	// Sequence orders records. It grows, and may skip numbers.
	Sequence uint64
	// OpID is that of the append.
	OpID string
	// Body is a JSON value.
	Body []byte
	// Digest is that of the record's bytes.
	Digest changelog.Digest
	// Prev is the record before this one. When it is not the one that was read
	// before, records are missing between them.
	Prev changelog.Anchor
}

// Repairs reports whether an operator had the journal go on behind a damage with
// this record. Some of what was read before it may be lost: read the journal again
// from 1.
func (r Record) Repairs() bool {
	return r.Prev.IsZero() && changelog.RecordType(r.Body) == changelog.RecordRepaired
}

// Ledger is a list of records that only grows, signed and chained by digests, in
// which each is appended after the newest that its author knows:
// compare-and-set. What no publisher signed for this place is skipped: see
// [Journal.Foreign]. It keeps 40 bytes for each record in memory. It is safe for
// concurrent use.
type Ledger struct {
	conn jetstream.Client
	name LedgerName

	mu       sync.Mutex         // guards what follows
	known    []changelog.Anchor // the valid records up to judged, in ascending order
	judged   uint64             // every message up to here is known to be valid or noise
	noise    flagsync.Foreign
	noted    uint64           // newest version of a keys note in the journal
	repaired uint64           // sequence of the newest repair
	expected changelog.Anchor // see Expect
}

// OpenLedger opens a journal. It creates CONTROL if need be; the stream of a
// ledger is made with its environment, and one that is gone is [ErrStreamLost].
// replicas is 1, 3 or 5.
func OpenLedger(ctx context.Context, conn *flagsync.Conn, name LedgerName, replicas int) (*Ledger, error) {
	c := jetstream.Use(conn)
	config, err := name.config(replicas)
	switch {
	case err != nil:
	case name.environment == "":
		_, err = c.CreateStream(ctx, config)
	default:
		_, err = c.OpenStream(ctx, config)
	}
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return &Ledger{conn: c, name: name}, nil
}

// NewLedger returns a journal whose stream is not looked at before it is read.
func NewLedger(conn *flagsync.Conn, name LedgerName) *Ledger {
	return &Ledger{conn: jetstream.Use(conn), name: name}
}

// config returns the settings of the stream.
func (n LedgerName) config(replicas int) (jetstream.StreamConfig, error) {
	if err := validateReplicas(replicas); err != nil {
		return jetstream.StreamConfig{}, err
	}
	if n == (LedgerName{}) {
		return jetstream.StreamConfig{}, errors.New("it has no name")
	}
	if n.environment == "" {
		return jetstream.ControlConfig(replicas), nil
	}
	return jetstream.LedgerConfig(n.environment, replicas), flagsync.ValidateEnvironment(n.environment)
}

// Head returns the newest record that was read or appended here, zero if there
// was none.
func (j *Ledger) Head() changelog.Anchor {
	head, _ := j.position()
	return head
}

// position returns the newest record that is known, and up to where the stream
// was judged.
func (j *Ledger) position() (head changelog.Anchor, judged uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.head(), j.judged
}

// head returns the newest record that is known; j.mu must be held.
func (j *Ledger) head() changelog.Anchor {
	if len(j.known) == 0 {
		return changelog.Anchor{}
	}
	return j.known[len(j.known)-1]
}

// since returns the records from a sequence on that are known, and what position
// returns.
func (j *Ledger) since(sequence uint64) (known []changelog.Anchor, head changelog.Anchor, judged uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := sort.Search(len(j.known), func(i int) bool { return j.known[i].Sequence >= sequence })
	return j.known[i:len(j.known):len(j.known)], j.head(), j.judged
}

// at returns the record with a sequence, if it is known.
func (j *Ledger) at(sequence uint64) (changelog.Anchor, bool) {
	rest, _, _ := j.since(sequence)
	if len(rest) == 0 || rest[0].Sequence != sequence {
		return changelog.Anchor{}, false
	}
	return rest[0], true
}

// learn takes over what was judged: records, which are valid, and the messages
// that were offered, of which those up to judged are noise unless they are among
// the records.
func (j *Ledger) learn(records []changelog.JournalRecord, offered []uint64, judged, noted uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	valid := make(map[uint64]bool, len(records))
	for _, r := range records {
		valid[r.Sequence] = true
		if r.Sequence <= j.head().Sequence {
			continue // another reader was faster
		}
		j.known = append(j.known, r.Anchor())
		if _, ok := changelog.RepairOf(r); ok {
			j.repaired = r.Sequence
		}
	}
	for _, sequence := range offered {
		if sequence > j.judged && sequence <= judged && !valid[sequence] {
			j.noise = j.noise.With(sequence, sequence)
		}
	}
	j.judged, j.noted = max(j.judged, judged), max(j.noted, noted)
}

// Record returns the record with a sequence, as the leader has it.
func (j *Ledger) Record(ctx context.Context, sequence uint64) (Record, error) {
	a, known := j.at(sequence)
	if _, judged := j.position(); !known && sequence > judged {
		if err := j.catchUp(ctx); err != nil {
			return Record{}, err
		}
		a, known = j.at(sequence)
	}
	if !known {
		return Record{}, fmt.Errorf("read %s at %d: %w", j.name.stream, sequence, errNoRecord)
	}
	m, err := j.conn.Message(ctx, j.name.stream, sequence)
	if errors.Is(err, jetstream.ErrNoMessage) {
		err = fmt.Errorf("%w: it is gone", ErrDamaged)
	}
	if err != nil {
		return Record{}, fmt.Errorf("read %s at %d: %w", j.name.stream, sequence, err)
	}
	return j.decode(m, a)
}

var errNoRecord = errors.New("no such record")

// decode takes apart a message that must be the record that is known.
func (j *Ledger) decode(m jetstream.Message, known changelog.Anchor) (Record, error) {
	r, err := changelog.DecodeJournalRecord(m.Data)
	if err == nil && r.Digest != known.Digest {
		err = fmt.Errorf("it was %s", known)
	}
	if err != nil {
		return Record{}, fmt.Errorf("read %s at %d: %w: it was altered: %w", j.name.stream, known.Sequence, ErrDamaged, err)
	}
	return recordOf(r), nil
}

func recordOf(r changelog.JournalRecord) Record {
	return Record{Sequence: r.Sequence, OpID: r.OpID, Body: r.Body, Digest: r.Digest, Prev: r.Prev}
}
