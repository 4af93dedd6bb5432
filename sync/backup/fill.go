package backup

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

const (
	// batchMessages and batchBytes bound what is stored together: one sync of the disk each.
	batchMessages = 500
	batchBytes    = 2 << 20
)

// ErrOccupied means that a stream holds something else than what is to be stored in it.
var ErrOccupied = errors.New("it holds something else")

// Fill makes a stream and stores messages in it, each with the sequence that it has. Where there is no message, something is stored that is
// signed by no one, and so is noise. What the stream holds already must be what is to be stored, or [ErrOccupied] tells where it is not: a
// Fill that was interrupted goes on. In PEOPLE sequences are new.
//
// Headers by which a server is told what to do when it takes a message are left out: they were obeyed once.
// behind returns the first sequence behind those messages, if the stream goes on there, else 0.
func Fill(ctx context.Context, conn *flagsync.Conn, stream string, replicas int, messages Sequence) (behind uint64, err error) {
	config, err := settings(stream, replicas)
	if err != nil {
		return 0, err
	}
	info, err := jetstream.Use(conn).CreateStream(ctx, config)
	if err != nil {
		return 0, fmt.Errorf("fill %s: %w", stream, err)
	}
	f := newFilling(conn, config, info)
	if behind, err = f.fill(ctx, messages); err != nil {
		return 0, fmt.Errorf("fill %s: %w", stream, err)
	}
	return behind, nil
}

// Holds is what a stream holds of messages.
type Holds struct {
	Exists bool
	// All says that it has all of them.
	All bool
	// Behind is the first sequence behind them, if the stream goes on there, else 0.
	Behind uint64
}

// Compare is [Fill] that changes nothing: it fails with [ErrOccupied] where that would.
func Compare(ctx context.Context, conn *flagsync.Conn, stream string, replicas int, messages Sequence) (Holds, error) {
	config, err := settings(stream, replicas)
	if err != nil {
		return Holds{}, err
	}
	info, err := jetstream.Use(conn).Info(ctx, stream)
	if jetstream.HasCode(err, jetstream.CodeStreamNotFound) {
		return Holds{}, nil
	}
	if err == nil {
		err = config.Verify(info.Config)
	}
	if err != nil {
		return Holds{}, fmt.Errorf("compare %s: %w", stream, err)
	}
	f := newFilling(conn, config, info)
	f.only = true
	behind, err := f.fill(ctx, messages)
	if err != nil {
		return Holds{}, fmt.Errorf("compare %s: %w", stream, err)
	}
	return Holds{Exists: true, All: !f.lacks, Behind: behind}, nil
}

func newFilling(conn *flagsync.Conn, config jetstream.StreamConfig, info *jetstream.StreamInfo) *filling {
	return &filling{
		client: jetstream.Use(conn), stream: config.Name, prefix: subjectPrefix(config), last: info.State.LastSequence,
	}
}

func (f *filling) fill(ctx context.Context, messages Sequence) (behind uint64, err error) {
	if IsPeople(f.stream) {
		return 0, f.people(ctx, messages)
	}
	return f.run(ctx, messages)
}

// filling is a Fill under way.
type filling struct {
	client jetstream.Client
	stream string
	prefix string // of its subjects
	last   uint64 // sequence that the stream ends with
	batch  []jetstream.Outgoing
	bytes  int
	only   bool // compares only
	lacks  bool // a message is not there
}

func (f *filling) run(ctx context.Context, messages Sequence) (behind uint64, err error) {
	held, stop := iter.Pull2(f.client.Messages(ctx, f.stream, 1, f.last))
	defer stop()
	present := f.last
	next := uint64(1)
	for m, err := range messages {
		if err != nil {
			return 0, err
		}
		if err := verifySubject(f.stream, f.prefix, m.Subject); err != nil {
			return 0, err
		}
		for ; next < m.Sequence; next++ {
			if err := f.place(ctx, held, Message{Sequence: next, Subject: f.prefix + "hole"}, present); err != nil {
				return 0, err
			}
		}
		if err := f.place(ctx, held, m, present); err != nil {
			return 0, err
		}
		next++
	}
	if err := f.flush(ctx); err != nil {
		return 0, err
	}
	if present >= next {
		return next, nil
	}
	return 0, nil
}

// place compares a message with what the stream holds there, or stores it.
func (f *filling) place(ctx context.Context, held func() (jetstream.Message, error, bool), m Message, present uint64) error {
	if m.Sequence <= present {
		found, err, ok := held()
		if err != nil {
			return err
		}
		if !ok || found.Sequence != m.Sequence || !same(messageOf(found), m) {
			return fmt.Errorf("%w at message %d", ErrOccupied, m.Sequence)
		}
		return nil
	}
	if f.lacks = true; f.only {
		return nil
	}
	f.batch, f.bytes = append(f.batch, outgoing(m)), f.bytes+len(m.Data)
	if len(f.batch) < batchMessages && f.bytes < batchBytes {
		return nil
	}
	return f.flush(ctx)
}

func outgoing(m Message) jetstream.Outgoing {
	out := jetstream.NewOutgoing(m.Subject, m.Data)
	for _, field := range m.Headers {
		out.AddHeader(jetstream.HeaderField(field))
	}
	return out
}

// same reports whether two messages are the same but for what is not stored again.
func same(a, b Message) bool {
	told := func(f Field) bool { return strings.HasPrefix(strings.ToLower(f.Name), "nats-") }
	return a.Subject == b.Subject && string(a.Data) == string(b.Data) &&
		slices.Equal(slices.DeleteFunc(slices.Clone(a.Headers), told), slices.DeleteFunc(slices.Clone(b.Headers), told))
}

// flush stores what waits, together, behind what the stream ends with.
func (f *filling) flush(ctx context.Context) error {
	if len(f.batch) == 0 {
		return nil
	}
	want := f.last + uint64(len(f.batch))
	f.batch[0].ExpectLast(f.last)
	attempts := newAttempts(f.client)
	for {
		ack, err := f.client.PublishAll(ctx, f.batch)
		if err == nil && ack.Sequence == want {
			break
		}
		if err == nil {
			return fmt.Errorf("%w: message %d was stored as %d", ErrOccupied, want, ack.Sequence)
		}
		if err := attempts.failed(err); err != nil {
			return err
		}
		info, failed := f.client.Info(ctx, f.stream)
		switch {
		case failed == nil && info.State.LastSequence == want: // as it was compared before, it is compared when all is there
			f.last = want
		case failed == nil && info.State.LastSequence != f.last:
			return fmt.Errorf("%w: it ended with message %d and ends with %d: something else writes to it", ErrOccupied, f.last, info.State.LastSequence)
		}
		if f.last == want {
			break
		}
		if err := attempts.pause(ctx, err); err != nil {
			return err
		}
	}
	f.last, f.batch, f.bytes = want, f.batch[:0], 0
	return nil
}

// people stores what is known about persons, each under a subject of its own.
func (f *filling) people(ctx context.Context, messages Sequence) error {
	var all []string
	for m, err := range messages {
		if err != nil {
			return err
		}
		if err := verifySubject(f.stream, f.prefix, m.Subject); err != nil {
			return err
		}
		all = append(all, m.Subject)
		if f.only {
			err = f.compare(ctx, m)
		} else {
			err = f.person(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	held, err := f.client.Subjects(ctx, f.stream, ">")
	if err != nil {
		return err
	}
	for _, subject := range all {
		delete(held, subject)
	}
	for subject := range held {
		return fmt.Errorf("%w: %s", ErrOccupied, subject)
	}
	return nil
}

// compare compares what is stored about a person.
func (f *filling) compare(ctx context.Context, m Message) error {
	found, err := f.client.LastMessage(ctx, f.stream, m.Subject)
	switch {
	case errors.Is(err, jetstream.ErrNoMessage):
		f.lacks = true
		return nil
	case err == nil && !same(messageOf(found), m):
		return fmt.Errorf("%w: %s", ErrOccupied, m.Subject)
	}
	return err
}

func (f *filling) person(ctx context.Context, m Message) error {
	out := outgoing(m)
	out.ExpectLastOfSubject(0)
	attempts := newAttempts(f.client)
	for {
		_, err := f.client.Publish(ctx, out)
		if err == nil {
			return nil
		}
		if err := attempts.failed(err); err != nil {
			return err
		}
		found, failed := f.client.LastMessage(ctx, f.stream, m.Subject)
		if failed == nil && !same(messageOf(found), m) {
			return fmt.Errorf("%w: %s", ErrOccupied, m.Subject)
		}
		if failed == nil {
			return nil
		}
		if err := attempts.pause(ctx, err); err != nil {
			return err
		}
	}
}
