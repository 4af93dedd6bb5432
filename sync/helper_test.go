package flagsync_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// patience is how long a test waits for what must come: long, because a busy
// machine is no failure.
const patience = 30 * time.Second

const environment = natstest.Environment

var testLogger = zerolog.Nop()

// connect returns a connection with the permissions of a publisher.
func connect(tb testing.TB, url string) *flagsync.Conn {
	tb.Helper()
	return connectWith(tb, flagsync.ConnectOptions{URL: url, Signer: trusttest.Default().Signer()})
}

// connectSidecar returns a connection with the permissions of a sidecar of the
// environment.
func connectSidecar(tb testing.TB, url string) *flagsync.Conn {
	tb.Helper()
	return connectWith(tb, flagsync.ConnectOptions{
		URL: url, Environment: environment, NKey: natstest.SidecarKey(tb), InboxPrefix: "_SC." + environment + "." + rand.Text(),
		Keyring: trusttest.Default().Keyring(),
	})
}

func connectWith(tb testing.TB, o flagsync.ConnectOptions) *flagsync.Conn {
	tb.Helper()
	o.Name, o.Logger = tb.Name(), testLogger
	if o.Keyring == nil {
		o.Keyring = trusttest.Default().PublisherKeyring()
	}
	c, err := flagsync.Connect(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// log is a server with one environment, and the log a publisher has of it.
type log struct {
	server *natstest.Server
	conn   *flagsync.Conn
	*writer.Log

	bases bases
}

// bases knows the documents at positions of a log. The zero value has to read
// them first.
type bases struct {
	mu    sync.Mutex
	known map[changelog.Position]writer.Basis
}

// forget is called when another history took the place of the log.
func (b *bases) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = nil
}

// at returns the documents at a position of a log.
func (b *bases) at(tb testing.TB, l *writer.Log, at changelog.Position) writer.Basis {
	tb.Helper()
	var basis writer.Basis
	patiently(tb, func(ctx context.Context) (err error) {
		basis, err = b.read(ctx, l, at)
		return err
	})
	return basis
}

// read reads the log from the nearest position whose documents are known.
func (b *bases) read(ctx context.Context, l *writer.Log, at changelog.Position) (writer.Basis, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known, ok := b.known[at]; ok {
		return known, nil
	}
	from, basis := changelog.Position{}, writer.Basis(noDocuments{})
	for position, known := range b.known {
		if position.Epoch == at.Epoch && position.Revision < at.Revision && position.Revision > from.Revision {
			from, basis = position, known
		}
	}
	var assembler changelog.Assembler
	for r, err := range l.Read(ctx, from, at.Revision) {
		if err != nil {
			return nil, err
		}
		tx, err := assembler.Add(r)
		if err != nil && !errors.Is(err, changelog.ErrFragment) {
			return nil, err
		}
		if tx != nil {
			basis = writer.After(basis, tx)
		}
	}
	if basis.Position() != at { // within a transaction, or of another log
		return elsewhere{basis, at}, nil
	}
	b.keep(at, basis)
	return basis, nil
}

func (b *bases) keep(at changelog.Position, basis writer.Basis) {
	if b.known == nil {
		b.known = make(map[changelog.Position]writer.Basis)
	}
	b.known[at] = basis
}

// after takes note of what an append has led to.
func (b *bases) after(basis writer.Basis, outcome writer.Outcome) {
	if outcome.State == writer.Committed {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.keep(outcome.Position, writer.After(basis, outcome.Records))
	}
}

// append appends at a position of a log.
func (b *bases) append(ctx context.Context, l *writer.Log, at changelog.Position, c writer.Change) (writer.Outcome, error) {
	basis, err := b.read(ctx, l, at)
	if err != nil {
		return writer.Outcome{}, err
	}
	outcome, err := l.Append(ctx, basis, c)
	if err == nil {
		b.after(basis, outcome)
	}
	return outcome, err
}

// basis returns the documents at a position.
func (l *log) basis(tb testing.TB, at changelog.Position) writer.Basis {
	tb.Helper()
	return l.bases.at(tb, l.Log, at)
}

// append appends at a position.
func (l *log) append(tb testing.TB, ctx context.Context, at changelog.Position, c writer.Change) (writer.Outcome, error) { //nolint:revive // as test helpers are
	tb.Helper()
	basis := l.basis(tb, at)
	outcome, err := l.Append(ctx, basis, c)
	if err == nil {
		l.bases.after(basis, outcome)
	}
	return outcome, err
}

// noDocuments is the basis before the first entry.
type noDocuments struct{}

func (noDocuments) Position() changelog.Position { return changelog.Position{} }
func (noDocuments) State() changelog.State       { return changelog.State{} }
func (noDocuments) Document(document.ID) (document.Document, bool) {
	return document.Document{}, false
}

// elsewhere is a basis that claims another position.
type elsewhere struct {
	writer.Basis
	at changelog.Position
}

func (e elsewhere) Position() changelog.Position { return e.at }

func newLog(tb testing.TB) *log {
	tb.Helper()
	server := natstest.Start(tb)
	c := connect(tb, server.URL())
	createEnvironment(tb, c, 1)
	return &log{server: server, conn: c, Log: openLog(tb, c, 1)}
}

// createEnvironment makes the environment, again until the servers are able to.
func createEnvironment(tb testing.TB, c *flagsync.Conn, replicas int) {
	tb.Helper()
	patiently(tb, func(ctx context.Context) error {
		environments, err := writer.OpenEnvironments(ctx, c, replicas)
		if err != nil {
			return err
		}
		if _, err = environments.Create(ctx, environment, writer.Order{Actor: "tester"}); errors.Is(err, writer.ErrEnvironmentExists) {
			return nil // by an attempt that was not answered
		}
		return err
	})
}

func openLog(tb testing.TB, c *flagsync.Conn, replicas int) *writer.Log {
	tb.Helper()
	var l *writer.Log
	patiently(tb, func(ctx context.Context) (err error) {
		l, err = writer.OpenLog(ctx, c, writer.LogOptions{Environment: environment, Replicas: replicas})
		return err
	})
	return l
}

// patiently repeats what servers that are busy or have no leader do not do at once.
func patiently(tb testing.TB, do func(context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), waiting.Patience)
	defer cancel()
	waiting.UntilNil(tb, "servers that do as they are asked", func() error { return do(ctx) })
}

func (l *log) head(tb testing.TB) changelog.Position {
	tb.Helper()
	var head changelog.Position
	eventually(tb, func() (bool, string) { // a busy server may not answer at once
		var err error
		head, err = l.Head(tb.Context())
		return err == nil, fmt.Sprint("the head: ", err)
	})
	return head
}

func put(key, body string) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key, Body: []byte(body)}
}

func remove(key string) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key}
}

func change(op string, documents ...document.Document) writer.Change {
	return writer.Change{OpID: op, Actor: "tester", Reason: "a test", Time: time.Unix(1, 0), Documents: documents}
}

// write appends documents as one change at the head, which no other writer may
// move meanwhile.
func (l *log) write(tb testing.TB, documents ...document.Document) changelog.Position {
	tb.Helper()
	head := l.head(tb)
	outcome, err := l.append(tb, tb.Context(), head, change(fmt.Sprintf("op-%d", head.Revision+1), documents...))
	if err != nil {
		tb.Fatal(err)
	}
	if outcome.State != writer.Committed {
		tb.Fatalf("append at %d: %s, want committed", head.Revision, outcome.State)
	}
	return outcome.Position
}

// running is a follower and what it keeps current.
type running struct {
	*follow.Follower
	target *mapTarget
}

func startFollowing(tb testing.TB, c *flagsync.Conn, tune ...func(*tuning.Follower)) *running {
	tb.Helper()
	return followInto(tb, c, newMapTarget(tb), tune...)
}

func followInto(tb testing.TB, c *flagsync.Conn, target *mapTarget, tune ...func(*tuning.Follower)) *running {
	tb.Helper()
	target.adopt(tb, c)
	f, err := follow.New(c, target, follow.Options{Environment: environment, Logger: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	for _, t := range tune {
		f.Tune(t)
	}
	run(tb, f.Run)
	return &running{Follower: f, target: target}
}

// run runs something until the returned function is called or the test ends.
func run(tb testing.TB, something func(context.Context) error) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- something(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				tb.Errorf("Run returned %v, want nil", err)
			}
		case <-time.After(patience):
			tb.Error("Run did not return after its context had ended")
		}
	}
	tb.Cleanup(stop)
	return stop
}

func (r *running) reach(tb testing.TB, revision uint64) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := r.Wait(ctx, revision); err != nil {
		tb.Fatalf("%v; status %+v", err, r.Status())
	}
}

func (r *running) barrier(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := r.Barrier(ctx); err != nil {
		tb.Fatalf("%v; status %+v", err, r.Status())
	}
}

// until waits for a status.
func (r *running) until(tb testing.TB, what string, holds func(follow.Status) bool) follow.Status {
	tb.Helper()
	eventually(tb, func() (bool, string) {
		s := r.Status()
		return holds(s), fmt.Sprintf("%s: %+v", what, s)
	})
	return r.Status()
}

// eventually waits for a condition, which also says what is the case.
func eventually(tb testing.TB, holds func() (bool, string)) {
	tb.Helper()
	waiting.UntilNil(tb, "a condition", func() error {
		ok, state := holds()
		if ok {
			return nil
		}
		return errors.New(state)
	})
}

// replay returns the state that the log adds up to, by a follower that has only
// just come.
func (l *log) replay(tb testing.TB) *mapTarget {
	tb.Helper()
	head := l.head(tb)
	fresh := startFollowing(tb, connectSidecar(tb, l.server.URL()))
	fresh.reach(tb, head.Revision)
	return fresh.target
}
