package sidecar_test

import (
	"context"
	"errors"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// connectPublisher connects as a publisher that signs with the keys. The connection ends with the test, unless it is closed before.
func connectPublisher(t *testing.T, url string, keys trusttest.Keys) *flagsync.Conn {
	t.Helper()
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: url, Name: t.Name(), Keyring: keys.PublisherKeyring(), Signer: keys.Signer(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// writer appends to a log, and knows the documents that its changes are decided on. It belongs to one goroutine.
type logWriter struct {
	log   *writer.Log
	basis writer.Basis
}

func openWriter(t *testing.T, conn *flagsync.Conn) *logWriter {
	t.Helper()
	log, err := writer.OpenLog(t.Context(), conn, writer.LogOptions{Environment: environment, Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &logWriter{log: log, basis: noDocuments{}}
}

// catchUp reads what the log has after the documents that are known, and returns its head.
func (w *logWriter) catchUp(ctx context.Context) (changelog.Position, error) {
	head, err := w.log.Head(ctx)
	if err != nil || head == w.basis.Position() {
		return head, err
	}
	basis := w.basis
	if at := basis.Position(); at.Epoch != head.Epoch || at.Revision > head.Revision {
		basis = noDocuments{}
	}
	var assembler changelog.Assembler
	for r, err := range w.log.Read(ctx, basis.Position(), head.Revision) {
		if err != nil {
			return head, err
		}
		tx, err := assembler.Add(r)
		if err != nil {
			return head, err
		}
		if tx != nil {
			basis = writer.After(basis, tx)
		}
	}
	if basis.Position() != head {
		return head, errors.New("the log goes on")
	}
	w.basis = basis
	return head, nil
}

// append appends a change to the documents that are known.
func (w *logWriter) append(ctx context.Context, c writer.Change) (writer.Outcome, error) {
	outcome, err := w.log.Append(ctx, w.basis, c)
	if err == nil && outcome.State == writer.Committed {
		w.basis = writer.After(w.basis, outcome.Records)
	}
	return outcome, err
}

// noDocuments is what is known before the first entry.
type noDocuments struct{}

func (noDocuments) Position() changelog.Position { return changelog.Position{} }
func (noDocuments) State() changelog.State       { return changelog.State{} }
func (noDocuments) Document(document.ID) (document.Document, bool) {
	return document.Document{}, false
}
