package series

import (
	"context"
	"errors"
	"fmt"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/internal/jetstream"
	"github.com/flagside/flagside/sync/usage"
)

var (
	// ErrConflict means that another publisher has written since: read again.
	ErrConflict = errors.New("another publisher has written")
	// ErrUndecided means that it is not known whether something was written: read again.
	ErrUndecided = errors.New("it is not known whether it was written")
)

// ReportAge is how long reports are kept.
const ReportAge = 72 * time.Hour

// headers is how many bytes a message may have beside its data.
const headers = 8 << 10

// Options say which streams. All members are required.
type Options struct {
	Environment string
	// Replicas is how many servers of a cluster keep a copy.
	Replicas int
	// ReportBytes bounds the stream of reports, and Bytes that of documents. The oldest go when there is no room.
	ReportBytes, Bytes int64
}

// Store is the two streams of one environment. Create it with Open.
type Store struct {
	client  jetstream.Client
	reports string // stream
	series  string // stream
	subject string // what the subjects of documents begin with
}

// State is how far the streams go.
type State struct {
	// Source names the stream of reports: it is another one if that was deleted and made again.
	Source string
	// First and Last are the sequences of the oldest report that is there and of the newest that ever was.
	First, Last uint64
	// End is the sequence behind which documents are written.
	End uint64
	// Documents is how many parts of documents there are, and Bytes their size.
	Documents, Bytes uint64
}

// Report is a report as the stream has it.
type Report struct {
	Sequence uint64
	Received time.Time
	Data     []byte
}

// Document is one part of a document.
type Document struct {
	Name string // part of a subject, such as hour.1700000000.0
	Data []byte
	// Expires is how long it is kept; 0 is until it is replaced.
	Expires time.Duration
}

// Open opens the streams, and creates those that are not there. Settings in which they differ are corrected.
func Open(ctx context.Context, conn *flagsync.Conn, o Options) (*Store, error) {
	if o.Environment == "" || o.Replicas < 1 || min(o.ReportBytes, o.Bytes) <= 0 {
		return nil, errors.New("series: environment, replicas and sizes are required")
	}
	s := &Store{
		client: jetstream.Use(conn).Own(), reports: jetstream.UsageStream(o.Environment), series: jetstream.SeriesStream(o.Environment),
		subject: jetstream.SeriesSubject(o.Environment) + ".",
	}
	for _, config := range []jetstream.StreamConfig{
		jetstream.UsageConfig(o.Environment, o.Replicas, ReportAge, o.ReportBytes, usage.MaxBytes+headers),
		jetstream.SeriesConfig(o.Environment, o.Replicas, o.Bytes),
	} {
		if _, err := s.client.KeepStream(ctx, config); err != nil {
			return nil, fmt.Errorf("usage: %w", err)
		}
	}
	return s, nil
}

// State returns how far the streams go. What is read afterwards is at least as new.
func (s *Store) State(ctx context.Context) (State, error) {
	series, err := s.client.Info(ctx, s.series)
	if err != nil {
		return State{}, s.failed(err)
	}
	reports, err := s.client.Info(ctx, s.reports)
	if err != nil {
		return State{}, s.failed(err)
	}
	return State{
		Source: reports.Created.UTC().Format(time.RFC3339Nano), First: reports.State.FirstSequence, Last: reports.State.LastSequence,
		End: series.State.LastSequence, Documents: series.State.Messages, Bytes: series.State.Bytes,
	}, nil
}

// Reports returns reports behind a sequence, up to another, in order: as many as one read brings, none if no more are left.
func (s *Store) Reports(ctx context.Context, behind, last uint64) ([]Report, error) {
	for batch, err := range s.client.Batches(ctx, s.reports, behind+1, last) {
		if err != nil {
			return nil, s.failed(err)
		}
		all := make([]Report, 0, len(batch))
		for _, m := range batch {
			all = append(all, Report{Sequence: m.Sequence, Received: m.StoredAt, Data: m.Data})
		}
		return all, nil
	}
	return nil, nil
}

// Get returns the newest part of a document with a name, as the leader of the stream has it; found is false if there is none.
func (s *Store) Get(ctx context.Context, name string) (data []byte, found bool, err error) {
	m, err := s.client.LastMessage(ctx, s.series, s.subject+name)
	return s.data(m, err)
}

// Glance is Get from any server, which may be a moment behind the leader. Nothing may be written by what it returns.
func (s *Store) Glance(ctx context.Context, name string) (data []byte, found bool, err error) {
	m, err := s.client.Newest(ctx, s.series, s.subject+name)
	return s.data(m, err)
}

func (s *Store) data(m jetstream.Message, err error) ([]byte, bool, error) {
	switch {
	case errors.Is(err, jetstream.ErrNoMessage):
		return nil, false, nil
	case err != nil:
		return nil, false, s.failed(err)
	default:
		return m.Data, true, nil
	}
}

// Write writes documents behind a sequence, all of them or none, and returns the sequence behind which the next are written. It fails with
// [ErrConflict] if others were written since, and with [ErrUndecided] when there is no answer.
func (s *Store) Write(ctx context.Context, behind uint64, documents []Document) (end uint64, err error) {
	messages := make([]jetstream.Outgoing, 0, len(documents))
	for i, d := range documents {
		m := jetstream.NewOutgoing(s.subject+d.Name, d.Data)
		if d.Expires > 0 {
			m.SetExpiry(d.Expires)
		}
		if i == 0 {
			m.ExpectLast(behind)
		}
		messages = append(messages, m)
	}
	ack, err := s.client.PublishAll(ctx, messages)
	switch {
	case err == nil:
		return ack.Sequence, nil
	case jetstream.Conflict(err):
		return 0, fmt.Errorf("usage: %w: %w", ErrConflict, err)
	case jetstream.Undecided(err):
		return 0, fmt.Errorf("usage: %w: %w", ErrUndecided, err)
	default:
		return 0, s.failed(err)
	}
}

// failed returns what went wrong, as [flagsync.ErrStreamLost] when a stream is gone.
func (s *Store) failed(err error) error {
	if jetstream.HasCode(err, jetstream.CodeStreamNotFound) {
		return fmt.Errorf("usage: %w: %w", flagsync.ErrStreamLost, err)
	}
	return fmt.Errorf("usage: %w", err)
}
