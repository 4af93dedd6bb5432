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
	c := jetstream.Use(conn)
	info, err := c.CreateStream(ctx, config)
	if err != nil {
		return 0, fmt.Errorf("fill %s: %w", stream, err)
	}
	f := &filling{client: c, stream: stream, prefix: strings.TrimSuffix(config.Subjects[0], ">"), last: info.State.LastSequence}
	if IsPeople(stream) {
		err = f.people(ctx, messages)
	} else {
		behind, err = f.run(ctx, messages)
	}
	if err != nil {
		return 0, fmt.Errorf("fill %s: %w", stream, err)
	}
	return behind, nil
}

// filling is a Fill under way.
type filling struct {
	client jetstream.Client
	stream string
	prefix string // of its subjects
	last   uint64 // sequence that the stream ends with
	batch  []jetstream.Outgoing
	bytes  int
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
	out := outgoing(m)
	f.batch, f.bytes = append(f.batch, out), f.bytes+len(m.Data)
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
	var pauses jetstream.Backoff
	for {
		ack, err := f.client.PublishAll(ctx, f.batch)
		if err == nil && ack.Sequence == want {
			break
		}
		if err == nil {
			return fmt.Errorf("%w: message %d was stored as %d", ErrOccupied, want, ack.Sequence)
		}
		if !jetstream.Undecided(err) && !jetstream.NoResponders(err) {
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
		if !pauses.Wait(ctx) {
			return errors.Join(err, context.Cause(ctx))
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
		all = append(all, m.Subject)
		if err := f.person(ctx, m); err != nil {
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

func (f *filling) person(ctx context.Context, m Message) error {
	out := outgoing(m)
	out.ExpectLastOfSubject(0)
	var pauses jetstream.Backoff
	for {
		_, err := f.client.Publish(ctx, out)
		if err == nil {
			return nil
		}
		if !jetstream.Undecided(err) && !jetstream.NoResponders(err) {
			return err
		}
		found, failed := f.client.LastMessage(ctx, f.stream, m.Subject)
		if failed == nil && !same(messageOf(found), m) {
			return fmt.Errorf("%w: %s", ErrOccupied, m.Subject)
		}
		if failed == nil {
			return nil
		}
		if !pauses.Wait(ctx) {
			return errors.Join(err, context.Cause(ctx))
		}
	}
}
