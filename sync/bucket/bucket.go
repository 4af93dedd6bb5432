package bucket

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

var (
	// ErrNotFound means that there is no value with the key, or not any more.
	ErrNotFound = errors.New("there is no such value")
	// ErrExists means that there is a value with the key already.
	ErrExists = errors.New("there is a value with this key already")
	// ErrFull means that there is no room for another value.
	ErrFull = errors.New("there is no room for another value")
)

// ended is how long the place of a value that was taken out is kept, so that no server that is behind shows the value meanwhile.
const ended = time.Minute

// Options say which bucket. All members are required.
type Options struct {
	// Stream is its name, and Subject what the subjects of its values begin with.
	Stream, Subject string
	// Replicas is how many servers of a cluster keep a copy.
	Replicas int
	// Values is how many values there may be, and ValueBytes how large each may be.
	Values     int64
	ValueBytes int32
}

// Bucket is a stream in which each subject holds its newest message only, until that expires. Create it with Open.
type Bucket struct {
	client  jetstream.Client
	stream  string
	subject string // what subjects begin with
}

// Value is a value with its key, which has one or several parts of letters and digits with dots between them.
type Value struct {
	Key  string
	Data []byte
}

// Open opens a bucket, and creates its stream if it is not there. Settings in which one that is there differs are corrected.
func Open(ctx context.Context, conn *flagsync.Conn, o Options) (*Bucket, error) {
	if o.Stream == "" || o.Subject == "" || o.Replicas < 1 || o.Values < 1 || o.ValueBytes < 1 {
		return nil, errors.New("bucket: stream, subject, replicas, values and their size are required")
	}
	b := &Bucket{client: jetstream.Use(conn).Own(), stream: o.Stream, subject: o.Subject + "."}
	if _, err := b.client.KeepStream(ctx, jetstream.BucketConfig(o.Stream, o.Subject, o.Replicas, o.Values, o.ValueBytes)); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", o.Stream, err)
	}
	return b, nil
}

// Create stores a value with a key that no other one has, for some time of at least a second. It fails with ErrExists or ErrFull; after another error the
// value may be there all the same.
func (b *Bucket) Create(ctx context.Context, v Value, expires time.Duration) error {
	if len(v.Data) == 0 {
		return fmt.Errorf("bucket %s: a value must not be empty", b.stream)
	}
	m := jetstream.NewOutgoing(b.subject+v.Key, v.Data)
	m.SetExpiry(max(expires, time.Second))
	m.ExpectLastOfSubject(0)
	_, err := b.client.Publish(ctx, m)
	switch {
	case err == nil:
		return nil
	case jetstream.Conflict(err):
		return fmt.Errorf("bucket %s: %w: %w", b.stream, ErrExists, err)
	case jetstream.Full(err):
		return fmt.Errorf("bucket %s: %w: %w", b.stream, ErrFull, err)
	default:
		return b.failed(err)
	}
}

// Get returns the newest value whose key matches, as the leader of the stream has it. A part of the key may be *, which matches any. It fails with
// ErrNotFound.
func (b *Bucket) Get(ctx context.Context, key string) (Value, error) {
	m, err := b.client.LastMessage(ctx, b.stream, b.subject+key)
	switch {
	case errors.Is(err, jetstream.ErrNoMessage) || err == nil && len(m.Data) == 0:
		return Value{}, fmt.Errorf("bucket %s: %w", b.stream, ErrNotFound)
	case err != nil:
		return Value{}, b.failed(err)
	default:
		return b.value(m), nil
	}
}

func (b *Bucket) value(m jetstream.Message) Value {
	return Value{Key: strings.TrimPrefix(m.Subject, b.subject), Data: m.Data}
}

// Remove takes out the value with exactly this key, for good, whether it is there or not.
func (b *Bucket) Remove(ctx context.Context, key string) error {
	m := jetstream.NewOutgoing(b.subject+key, nil)
	m.SetExpiry(ended)
	if _, err := b.client.Publish(ctx, m); err != nil {
		return b.failed(err)
	}
	return nil
}

// List returns the values whose keys match, oldest first. Parts of the key may be *, and the last one >, which matches all that follow. A server that is
// behind may show values that were taken out a moment ago.
func (b *Bucket) List(ctx context.Context, key string) ([]Value, error) {
	var all []Value
	for m, err := range b.client.AboutSubject(ctx, b.stream, b.subject+key) {
		if err != nil {
			return nil, b.failed(err)
		}
		if len(m.Data) > 0 {
			all = append(all, b.value(m))
		}
	}
	return all, nil
}

// failed returns what went wrong, as [flagsync.ErrStreamLost] when the stream is gone: Open makes it again.
func (b *Bucket) failed(err error) error {
	if jetstream.HasCode(err, jetstream.CodeStreamNotFound) {
		return fmt.Errorf("bucket %s: %w: %w", b.stream, flagsync.ErrStreamLost, err)
	}
	return fmt.Errorf("bucket %s: %w", b.stream, err)
}
