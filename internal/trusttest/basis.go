package trusttest

import (
	"context"
	"iter"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// Log is what [Basis] reads: a writer.Log.
type Log interface {
	Read(ctx context.Context, after changelog.Position, to uint64) iter.Seq2[changelog.Record, error]
}

// Documents are the documents at a position of a log, as a change is decided on.
type Documents struct {
	at   changelog.Position
	live map[document.ID]document.Document
}

// Basis returns the documents at a position of a log, which it reads from its beginning.
func Basis(tb testing.TB, log Log, at changelog.Position) Documents {
	tb.Helper()
	d := Documents{at: at, live: make(map[document.ID]document.Document)}
	for r, err := range log.Read(tb.Context(), changelog.Position{}, at.Revision) {
		switch {
		case err != nil:
			tb.Fatal(err)
		case r.Kind == document.KindEpoch:
			clear(d.live)
		case r.Delete:
			delete(d.live, r.ID())
		default:
			d.live[r.ID()] = r.Document()
		}
	}
	return d
}

// Position implements flagsync.Basis.
func (d Documents) Position() changelog.Position { return d.at }

// State implements flagsync.Basis.
func (d Documents) State() changelog.State {
	state := changelog.State{}.Edit()
	for _, document := range d.live {
		state.Add(document)
	}
	return state.State()
}

// Document implements flagsync.Basis.
func (d Documents) Document(id document.ID) (document.Document, bool) {
	document, ok := d.live[id]
	return document, ok
}
