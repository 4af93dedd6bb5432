package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	flagsync "github.com/flagside/flagside/sync"
	flagjetstream "github.com/flagside/flagside/sync/internal/jetstream"
)

const (
	// MaxHeld is how many messages a reader can be ahead of its place: [Place.Holds] is false of what lies further.
	MaxHeld = 2048
	// onceHeld is how many messages one look asks for.
	onceHeld = 256
)

// ErrNotHeld means that a place was to be advanced to a message that was not given out here: another publisher advances it.
var ErrNotHeld = errors.New("another publisher has the message in hand")

// PlaceOptions say which place. All members are required.
type PlaceOptions struct {
	// Stream is the name of the stream, and Name that of the place in it; letters, digits, - and _.
	Stream, Name string
	// AckWait is how long a message belongs to who got it, and Working prolongs it by as much.
	AckWait time.Duration
	// Inactive is how long the place is remembered when nothing asks for it.
	Inactive time.Duration
	// Replicas is how many servers of a cluster remember it.
	Replicas int
}

// Place remembers, in the server, how far a stream was read by someone who reads it by sequence. It is a durable consumer that gives out the headers of
// messages only: who holds that of a message may advance the place to it, past everything before, in one step. Several publishers share a place; that
// two of them hold one message is rare and possible, so what they do must be the same when it is done twice.
//
// A new place is before the oldest message.
type Place struct {
	client   flagjetstream.Client
	options  PlaceOptions
	consumer jetstream.Consumer

	mu   sync.Mutex // guards what follows
	held map[uint64]held
}

// held is a message that was given out here.
type held struct {
	message jetstream.Msg
	number  uint64 // among all that the consumer has given out
	until   time.Time
}

// OpenPlace returns a place of a stream that is there, and creates it if it is new. It fails with ErrLost if there is no such stream.
func OpenPlace(ctx context.Context, conn *flagsync.Conn, o PlaceOptions) (*Place, error) {
	if o.Stream == "" || o.Name == "" || min(o.AckWait, o.Inactive) <= 0 || o.Replicas < 1 {
		return nil, errors.New("queue: all options of a place are required")
	}
	p := &Place{client: flagjetstream.Use(conn), options: o, held: make(map[uint64]held)}
	js, err := jetstream.NewWithAPIPrefix(p.client.NATS(), p.client.OwnAPI())
	if err != nil {
		return nil, p.failed("open", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	p.consumer, err = js.Consumer(ctx, o.Stream, o.Name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		p.consumer, err = js.CreateConsumer(ctx, o.Stream, o.config())
		if errors.Is(err, jetstream.ErrConsumerExists) || errors.Is(err, jetstream.ErrConsumerNameAlreadyInUse) { // another publisher was faster
			p.consumer, err = js.Consumer(ctx, o.Stream, o.Name)
		}
	}
	if err != nil {
		return nil, p.failed("open", err)
	}
	return p, nil
}

func (o PlaceOptions) config() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: o.Name, DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckAllPolicy, AckWait: o.AckWait, MaxAckPending: MaxHeld,
		MaxDeliver: -1, InactiveThreshold: o.Inactive, Replicas: o.Replicas, HeadersOnly: true,
	}
}

// Take takes hold of messages that are to be had, without waiting for more.
func (p *Place) Take(ctx context.Context) error {
	for {
		n, err := p.take()
		if err != nil {
			if _, gone := p.Progress(ctx); errors.Is(gone, ErrLost) { // of which a request for messages knows nothing
				return gone
			}
			return p.failed("take", err)
		}
		if n < onceHeld || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (p *Place) take() (n int, err error) {
	until := time.Now().Add(p.options.AckWait)
	batch, err := p.consumer.FetchNoWait(onceHeld)
	if err != nil {
		return 0, err
	}
	for m := range batch.Messages() {
		n++
		about, err := m.Metadata()
		if err != nil {
			continue // no message of a stream
		}
		p.mu.Lock()
		p.held[about.Sequence.Stream] = held{m, about.Sequence.Consumer, until}
		p.mu.Unlock()
	}
	if err := batch.Error(); err != nil && !errors.Is(err, jetstream.ErrNoMessages) && !errors.Is(err, jetstream.ErrMaxBytesExceeded) {
		return n, err
	}
	return n, nil
}

// Holds reports whether a message is held here, so that Advance can reach it.
func (p *Place) Holds(sequence uint64) bool {
	_, ok := p.find(sequence)
	return ok
}

func (p *Place) find(sequence uint64) (held, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.held[sequence]
	return h, ok && time.Now().Before(h.until)
}

// Working tells the server that what ends with a held message is being worked at, and returns once the server knows. Without it for AckWait, another
// publisher gets hold of it.
func (p *Place) Working(ctx context.Context, sequence uint64) error {
	h, ok := p.find(sequence)
	if !ok {
		return p.failed("prolong", ErrNotHeld)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	until := time.Now().Add(p.options.AckWait)
	if _, err := p.client.NATS().RequestWithContext(ctx, h.message.Reply(), []byte(inProgress)); err != nil {
		return p.failed("prolong", err)
	}
	h.until = until
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[sequence] = h
	return nil
}

// Advance advances the place to a held message, and returns once the server remembers it. It fails with ErrNotHeld if the message is not held here.
func (p *Place) Advance(ctx context.Context, sequence uint64) error {
	h, ok := p.find(sequence)
	if !ok {
		return p.failed("advance", ErrNotHeld)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := h.message.DoubleAck(ctx); err != nil {
		return p.failed("advance", err)
	}
	p.forget(sequence, h.number)
	return nil
}

// forget lets go of what lies behind. A message that was given out before the one that the server went by last would not be heard of.
func (p *Place) forget(sequence, number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for s, h := range p.held {
		if s <= sequence || h.number <= number || !now.Before(h.until) {
			delete(p.held, s)
		}
	}
}

// Release gives back everything that is held, so that another publisher gets it at once. That it arrives is not certain.
func (p *Place) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.held {
		_ = h.message.Nak()
	}
	clear(p.held)
}

// Progress returns how far the stream was read.
func (p *Place) Progress(ctx context.Context) (Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := p.consumer.Info(ctx)
	if err != nil {
		return Progress{}, p.failed("read", err)
	}
	p.forget(info.AckFloor.Stream, info.AckFloor.Consumer)
	return Progress{
		Acknowledged: info.AckFloor.Stream, Waiting: info.NumPending + uint64(max(info.NumAckPending, 0)), // #nosec G115 -- a count
	}, nil
}

func (p *Place) failed(what string, err error) error {
	return failed(p.options.Stream, what+" place "+p.options.Name, err)
}
