package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	flagsync "github.com/flagside/flagside/sync"
	flagjetstream "github.com/flagside/flagside/sync/internal/jetstream"
)

var (
	// ErrConflict means that a message was not appended because the queue does not end where the caller thinks.
	ErrConflict = errors.New("the queue ends elsewhere")
	// ErrLost means that the stream is gone, or the consumer.
	ErrLost = errors.New("the stream or the consumer is gone")
)

const (
	// callTimeout bounds one call.
	callTimeout = 5 * time.Second
	// repeats is how long the server recognises a message that it has already, by its id.
	repeats = 2 * time.Minute
	// The last token of the subjects of messages that expire, and of the one that does not.
	passing = "event"
	lasting = "place"
)

// Options say which queue. All members but Existing are required.
type Options struct {
	// Stream is its name, and Subject what the subjects of its messages begin with.
	Stream  string
	Subject string
	// MaxAge is how long messages are kept, but for the last one that lasts.
	MaxAge time.Duration
	// Replicas is how many servers of a cluster keep a copy.
	Replicas int
	// Existing leaves the stream as it is. [Open] fails with ErrLost if it is not there.
	Existing bool
}

// Queue is a stream of messages. Create it with Open.
type Queue struct {
	options Options
	conn    flagjetstream.Client
	js      jetstream.JetStream
	stream  jetstream.Stream
}

// Message is one message of a queue.
type Message struct {
	Data     []byte
	Sequence uint64
	Stored   time.Time
}

// Open opens a queue, and unless the options say otherwise, creates its stream if it is not there, and corrects settings in which one that is there differs.
func Open(ctx context.Context, conn *flagsync.Conn, o Options) (*Queue, error) {
	if o.Stream == "" || o.Subject == "" || o.MaxAge <= 0 || o.Replicas < 1 {
		return nil, errors.New("queue: stream, subject, age and replicas are required")
	}
	client := flagjetstream.Use(conn)
	js, err := jetstream.NewWithAPIPrefix(client.NATS(), client.OwnAPI())
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", o.Stream, err)
	}
	if err := client.StorageError(); err != nil {
		return nil, fmt.Errorf("queue %s: %w", o.Stream, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	q := &Queue{options: o, conn: client, js: js}
	if o.Existing {
		q.stream, err = js.Stream(ctx, o.Stream)
	} else {
		q.stream, err = js.CreateOrUpdateStream(ctx, o.config())
	}
	if err != nil {
		return nil, q.failed("open", err)
	}
	return q, nil
}

func (o Options) config() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: o.Stream, Subjects: []string{o.Subject + ".*"}, Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardOld, MaxAge: o.MaxAge, Replicas: o.Replicas, Duplicates: min(repeats, o.MaxAge),
		AllowMsgTTL: true, AllowRollup: true, // for the message that lasts
	}
}

// Last returns the newest message that is left, and the sequence behind which the next one is appended, which is 0 for a queue that never had any. The
// message is zero if none is left.
func (q *Queue) Last(ctx context.Context) (newest Message, end uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := q.stream.Info(ctx)
	if err != nil {
		return Message{}, 0, q.failed("read the end", err)
	}
	end = info.State.LastSeq
	if end == 0 || info.State.Msgs == 0 {
		return Message{}, end, nil
	}
	m, err := q.stream.GetMsg(ctx, end)
	if errors.Is(err, jetstream.ErrMsgNotFound) { // it expired, and an older one lasts
		m, err = q.stream.GetLastMsgForSubject(ctx, q.options.Subject+".*")
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Message{}, end, nil
	}
	if err != nil {
		return Message{}, 0, q.failed("read the newest message", err)
	}
	return message(m), end, nil
}

// Consumers returns how many consumers the queue has.
func (q *Queue) Consumers(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := q.stream.Info(ctx)
	if err != nil {
		return 0, q.failed("count consumers", err)
	}
	return info.State.Consumers, nil
}

// First returns the oldest message behind a sequence that is left, false if there is none.
func (q *Queue) First(ctx context.Context, behind uint64) (oldest Message, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m, err := q.stream.GetMsg(ctx, behind+1, jetstream.WithGetMsgSubject(q.options.Subject+".*"))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Message{}, false, nil
	}
	if err != nil {
		return Message{}, false, q.failed("read a message", err)
	}
	return message(m), true, nil
}

func message(m *jetstream.RawStreamMsg) Message {
	return Message{Data: m.Data, Sequence: m.Sequence, Stored: m.Time}
}

// Append appends a message behind a sequence and returns its own. It fails with ErrConflict if the queue does not end there. After any other error it may
// be there all the same. The id names the message: one that was appended within two minutes is not appended again, and is a conflict.
func (q *Queue) Append(ctx context.Context, data []byte, id string, behind uint64) (sequence uint64, err error) {
	return q.append(ctx, nats.Msg{Subject: q.options.Subject + "." + passing, Data: data}, behind, jetstream.WithMsgID(id))
}

// Keep is Append of a message that never expires, and takes the place of the one before it that does not.
func (q *Queue) Keep(ctx context.Context, data []byte, behind uint64) (sequence uint64, err error) {
	return q.append(ctx, nats.Msg{
		Subject: q.options.Subject + "." + lasting, Data: data,
		Header: nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupSubject}, jetstream.MsgTTLHeader: {"never"}},
	}, behind)
}

func (q *Queue) append(ctx context.Context, m nats.Msg, behind uint64, options ...jetstream.PublishOpt) (uint64, error) {
	if err := q.conn.StorageError(); err != nil {
		return 0, fmt.Errorf("queue %s: append: %w", q.options.Stream, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// It is sent once: whether a second one is due, only a reader knows.
	options = append(options, jetstream.WithExpectLastSequence(behind), jetstream.WithExpectStream(q.options.Stream), jetstream.WithRetryAttempts(0))
	ack, err := q.js.PublishMsg(ctx, &m, options...)
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && slices.Contains(conflicts(), api.ErrorCode) {
		return 0, fmt.Errorf("queue %s: append behind %d: %w", q.options.Stream, behind, ErrConflict)
	}
	if err != nil {
		return 0, q.failed("append", err)
	}
	if ack.Duplicate {
		return 0, fmt.Errorf("queue %s: append behind %d: it is there already: %w", q.options.Stream, behind, ErrConflict)
	}
	return ack.Sequence, nil
}

// conflicts returns the codes with which the server says that another message is there or on its way: the end has to be read again.
func conflicts() []jetstream.ErrorCode {
	return []jetstream.ErrorCode{jetstream.JSErrCodeStreamWrongLastSequence, duplicateInFlight, wrongLastConstant}
}

// Codes that nats.go has no names for.
const (
	duplicateInFlight jetstream.ErrorCode = 10158
	wrongLastConstant jetstream.ErrorCode = 10164
)

// failed returns what went wrong, as ErrLost when the stream or the consumer is gone.
func (q *Queue) failed(what string, err error) error { return failed(q.options.Stream, what, err) }

func failed(stream, what string, err error) error {
	for _, gone := range []error{jetstream.ErrStreamNotFound, jetstream.ErrConsumerNotFound, jetstream.ErrConsumerDeleted} {
		if errors.Is(err, gone) {
			err = fmt.Errorf("%w: %w", ErrLost, err)
			break
		}
	}
	return fmt.Errorf("queue %s: %s: %w", stream, what, err)
}
