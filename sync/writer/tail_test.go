package writer

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// TestACommittedChangeHidesNoLaterOne has an append find out about its change after
// the log was read beyond it: the head must not go back.
func TestACommittedChangeHidesNoLaterOne(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	environments, err := OpenEnvironments(t.Context(), connect(t, server.URL()), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), natstest.Environment, Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	l, other := open(t, server.URL()), open(t, server.URL())
	begin := replayed(t, l)
	first := appendTo(t, l, begin, "first")
	later := appendTo(t, other, After(begin, first.Records), "second")
	wantHead(t, l, later.Position)
	(&appending{log: l}).committed(first.Records)
	wantHead(t, l, later.Position)
	outcome, err := l.Append(t.Context(), After(begin, first.Records), changeOf("third"))
	if err != nil || outcome.State == Committed {
		t.Fatalf("a change on what is not the head: %s, %v", outcome.State, err)
	}
	wantHead(t, l, later.Position)
}

func connect(t *testing.T, url string) *flagsync.Conn {
	t.Helper()
	keys := trusttest.Default()
	c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{URL: url, Keyring: keys.PublisherKeyring(), Signer: keys.Signer()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, url string) *Log {
	t.Helper()
	l, err := OpenLog(t.Context(), connect(t, url), LogOptions{Environment: natstest.Environment, Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// replayed returns the documents at the head.
func replayed(t *testing.T, l *Log) Basis {
	t.Helper()
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var tx changelog.Transaction
	for r, err := range l.Read(t.Context(), changelog.Position{}, head.Revision) {
		if err != nil {
			t.Fatal(err)
		}
		tx = append(tx, r)
	}
	return After(noBasis{}, tx)
}

func changeOf(key string) Change {
	documents := []document.Document{{Kind: document.KindFlag, Key: key, Body: []byte("{}")}}
	return Change{OpID: rand.Text(), Actor: "tester", Time: time.Unix(1, 0), Documents: documents}
}

func appendTo(t *testing.T, l *Log, basis Basis, key string) Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	outcome, err := l.Append(ctx, basis, changeOf(key))
	if err != nil || outcome.State != Committed {
		t.Fatalf("append %s: %s, %v", key, outcome.State, err)
	}
	return outcome
}

func wantHead(t *testing.T, l *Log, want changelog.Position) {
	t.Helper()
	if head, err := l.Head(t.Context()); err != nil || head != want {
		t.Errorf("head %v, %v, want %v", head, err, want)
	}
}
