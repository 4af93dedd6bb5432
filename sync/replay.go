package flagsync

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/flagside/flagside/sync/changelog"
)

// replay is a state that is read from the log aside, while another one is
// served.
type replay struct {
	environment string
	chain       *changelog.Chain
	assembler   changelog.Assembler
	position    changelog.Position
	documents   map[changelog.ID]changelog.Document
	state       changelog.Digest
}

// replay reads the log from the epoch entry begin to a revision and returns the
// state it adds up to. begin must be the entry at revision 1, or one that
// renews the state. Every entry must continue the chain.
func (c *Conn) replay(ctx context.Context, environment string, begin, to uint64) (*replay, error) {
	r := &replay{environment: environment, documents: make(map[changelog.ID]changelog.Document)}
	for m, err := range c.messages(ctx, flagsStream(environment), begin, to) {
		if err != nil {
			return nil, fmt.Errorf("read the log aside: %w", err)
		}
		record, err := m.record()
		if err == nil {
			err = r.add(record)
		}
		if err != nil {
			return nil, fmt.Errorf("read the log aside: %w", err)
		}
	}
	if r.position.IsZero() {
		return nil, errors.New("read the log aside: it has no whole transaction")
	}
	return r, nil
}

func (r *replay) add(record changelog.Record) error {
	if err := r.extend(record); err != nil {
		return err
	}
	if record.Renews() {
		clear(r.documents)
		r.state = changelog.Digest{}
	}
	transaction, err := r.assembler.Add(record)
	if err != nil && !errors.Is(err, changelog.ErrFragment) {
		return err
	}
	if transaction == nil {
		return nil
	}
	for _, member := range transaction {
		r.apply(member)
	}
	r.position = transaction.Position()
	return nil
}

func (r *replay) extend(record changelog.Record) error {
	if r.chain != nil {
		return r.chain.Extend(record)
	}
	if record.Kind != changelog.KindEpoch || record.Revision > 1 && !record.Renews() {
		return fmt.Errorf("revision %d does not begin a state", record.Revision)
	}
	r.chain = changelog.NewChain(record.Position())
	return nil
}

func (r *replay) apply(member changelog.Record) {
	if member.Kind == changelog.KindEpoch {
		return
	}
	if old, ok := r.documents[member.ID()]; ok {
		r.state = r.state.Toggle(old)
		delete(r.documents, member.ID())
	}
	if !member.Delete {
		d := member.Document()
		r.documents[member.ID()] = d
		r.state = r.state.Toggle(d)
	}
}

// Header implements [Snapshot].
func (r *replay) Header() changelog.Header {
	return changelog.Header{Environment: r.environment, Position: r.position, StateDigest: r.state, Count: len(r.documents)}
}

// Write implements [Snapshot].
func (r *replay) Write(w io.Writer) error {
	s, err := changelog.NewSnapshotWriter(w, r.Header())
	if err != nil {
		return err
	}
	for _, d := range r.documents {
		if err := s.Write(d); err != nil {
			return err
		}
	}
	return s.Close()
}

// read hands the state to somebody who reads snapshots.
func (r *replay) read(read func(*changelog.SnapshotReader) error) error {
	out, in := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := r.Write(in)
		_ = in.CloseWithError(err) // always nil
		written <- err
	}()
	err := func() error {
		s, err := changelog.NewSnapshotReader(out)
		if err != nil {
			return err
		}
		defer s.Close()
		return read(s)
	}()
	_ = out.Close() // always nil
	if failed := <-written; err == nil {
		err = failed
	}
	return err
}
