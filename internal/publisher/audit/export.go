package audit

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// Stream is a stream that is exported, and its records.
type Stream struct {
	Name    string
	Records iter.Seq2[writer.Stored, error]
	// Last is the number of its newest record, of which it may hold fewer; 0 is not known.
	Last uint64
}

// Source is what an export is made from. Streams come in the order CONTROL, ledger, log, as far as they are exported.
type Source struct {
	Environment string
	Signer      *changelog.Signer // signs the checkpoint at the end
	Streams     []Stream

	// sealed is what was signed before, in place of a Signer.
	sealed sealed
}

// sealed is a checkpoint that was signed when the streams were copied.
type sealed struct{ installation, checkpoint string }

// Export writes an export. What was written before an error is not whole, which a verifier notices.
func Export(_ context.Context, out io.Writer, s Source) error {
	w := bufio.NewWriterSize(out, 64<<10)
	header := Header{Version: exportVersion, Installation: s.sealed.installation, Environment: s.Environment, Time: time.Now().UTC()}
	if s.Signer != nil {
		header.Installation = s.Signer.Installation()
	}
	for _, stream := range s.Streams {
		header.Streams = append(header.Streams, stream.Name)
	}
	if err := writeLine(w, header); err != nil {
		return err
	}
	checkpoint := changelog.Checkpoint{Time: time.Now()}
	for _, stream := range s.Streams {
		head, err := exportStream(w, s.Environment, stream)
		if err != nil {
			return err
		}
		checkpoint.Heads = append(checkpoint.Heads, head)
	}
	signed := s.sealed.checkpoint
	if s.Signer != nil {
		var err error
		if signed, err = s.Signer.SignCheckpoint(checkpoint); err != nil {
			return err
		}
	}
	if err := writeLine(w, end{Checkpoint: signed}); err != nil {
		return err
	}
	return w.Flush()
}

func exportStream(w io.Writer, environment string, s Stream) (changelog.StreamHead, error) {
	head := changelog.StreamHead{Stream: s.Name}
	documents := newVersions(environment)
	for stored, err := range s.Records {
		if err != nil {
			return head, fmt.Errorf("export: %w", err)
		}
		r := Record{
			Stream: stored.Stream, Sequence: stored.Sequence, Subject: stored.Subject, Stored: stored.Time, Proof: stored.Proof, Data: string(stored.Data),
		}
		if stored.Subject != "" {
			entry := documents.take(stored)
			r.Changes, head.Epoch = entry.changes, entry.Epoch
		}
		head.Anchor = changelog.Anchor{Sequence: stored.Sequence, Digest: changelog.Sum(stored.Data)}
		if err := writeLine(w, r); err != nil {
			return head, err
		}
	}
	return head, nil
}

// versions knows the documents as entries leave them, so that it can be told what each changes.
type versions struct {
	environment string
	documents   map[document.ID][]byte
}

func newVersions(environment string) *versions {
	return &versions{environment: environment, documents: make(map[document.ID][]byte)}
}

// change is an entry with the fields that it changed.
type change struct {
	changelog.Entry

	changes []Difference
}

func (v *versions) take(s writer.Stored) change {
	e, err := changelog.DecodeEntry(s.Data)
	if err != nil {
		return change{} // impossible: only entries are exported
	}
	c := change{Entry: e}
	if e.Kind == document.KindEpoch {
		clear(v.documents)
		return c
	}
	id := e.ID()
	c.changes = differences(v.documents[id], e.Put)
	if e.Delete {
		delete(v.documents, id)
	} else {
		v.documents[id] = e.Put
	}
	return c
}
