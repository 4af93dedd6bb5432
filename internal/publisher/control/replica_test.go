package control_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// replica is a publisher's part of one environment, over JetStream.
type replica struct {
	*control.Service

	t       *testing.T
	follow  *follow.Follower
	store   *cache.Store
	log     *writer.Log
	journal *writer.Ledger
	url     string
}

// newEnvironment starts a server with an environment.
func newEnvironment(t *testing.T) string {
	t.Helper()
	server := natstest.Start(t)
	createEnvironment(t, server.URL(), 1)
	return server.URL()
}

// createEnvironment creates the environment, again until the servers are able to.
func createEnvironment(t *testing.T, url string, copies int) {
	t.Helper()
	conn := connect(t, url)
	patiently(t, func() error {
		environments, err := writer.OpenEnvironments(t.Context(), conn, copies)
		if err != nil {
			return err
		}
		if _, err = environments.Create(t.Context(), "prod", writer.Order{Actor: "tester"}); errors.Is(err, writer.ErrEnvironmentExists) {
			return nil // by an attempt that was not answered
		}
		return err
	})
}

// patiently repeats what servers that are busy or have no leader do not do at once.
func patiently(t *testing.T, do func() error) {
	t.Helper()
	waiting.UntilNil(t, "servers that do as they are asked", do)
}

func connect(t *testing.T, url string) *flagsync.Conn {
	t.Helper()
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: url, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Name: t.Name(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// newReplica follows the environment until the test ends.
func newReplica(t *testing.T, url string) *replica {
	t.Helper()
	return newReplicaOf(t, url, 1)
}

// newReplicaOf follows an environment whose log has so many copies.
func newReplicaOf(t *testing.T, url string, copies int) *replica {
	t.Helper()
	conn := connect(t, url)
	r := &replica{t: t, url: url}
	var err, err2 error
	r.store, err = cache.New(cache.Options{Environment: "prod", Logger: zerolog.Nop()})
	r.follow, err2 = follow.New(conn, r.store, follow.Options{Environment: "prod", HoldAtHole: true, Logger: zerolog.Nop()})
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	patiently(t, func() error {
		if r.log, err = writer.OpenLog(t.Context(), conn, writer.LogOptions{Environment: "prod", Replicas: copies}); err == nil {
			r.journal, err = writer.OpenLedger(t.Context(), conn, writer.LedgerOf("prod"), copies)
		}
		return err
	})
	r.Service = control.NewService(r.options(nil))
	r.run(func(ctx context.Context) { _ = r.follow.Run(ctx) }, func() { _ = r.store.Close() })
	waiting.Until(t, "the state of the environment", func() bool { return r.store.View() != nil })
	return r
}

// run does something in the background until the test ends.
func (r *replica) run(do func(context.Context), after func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { do(ctx) })
	r.t.Cleanup(func() {
		cancel()
		wg.Wait()
		after()
	})
}

// options are those of a service of the replica, which stops for good after some steps unless crash is nil.
func (r *replica) options(crash *crash) control.Options {
	return control.Options{
		Environment: "prod",
		Store: fakeStore{
			state: func() decide.State {
				if view := r.store.View(); view != nil {
					return decide.WithoutKeys(view)
				}
				return nil
			},
			log:    func(context.Context) (control.Log, error) { return crashingLog{r.log, crash}, nil },
			ledger: func(context.Context) (control.Ledger, error) { return crashingLedger{r.journal, crash}, nil },
		},
		Follower: r.follow,
		Access:   fakeAccess{authorize: policy},
		Sweep:    10 * time.Millisecond,
	}
}

// crash stops a publisher after some steps: every append has one before and one after.
type crash struct{ left atomic.Int64 }

func crashAfter(steps int) *crash {
	var c crash
	c.left.Store(int64(steps))
	return &c
}

var errCrashed = errors.New("the publisher has crashed")

func (c *crash) step() error {
	if c != nil && c.left.Add(-1) < 0 {
		return errCrashed
	}
	return nil
}

type crashingLog struct {
	*writer.Log

	crash *crash
}

func (l crashingLog) Append(ctx context.Context, basis writer.Basis, c writer.Change) (writer.Outcome, error) {
	if err := l.crash.step(); err != nil {
		return writer.Outcome{}, err
	}
	outcome, err := l.Log.Append(ctx, basis, c)
	if crashed := l.crash.step(); crashed != nil {
		return writer.Outcome{}, crashed
	}
	return outcome, err
}

type crashingLedger struct {
	*writer.Ledger

	crash *crash
}

func (j crashingLedger) Append(ctx context.Context, base uint64, op string, body []byte) (uint64, error) {
	if err := j.crash.step(); err != nil {
		return 0, err
	}
	sequence, err := j.Ledger.Append(ctx, base, op, body)
	if crashed := j.crash.step(); crashed != nil {
		return 0, crashed
	}
	return sequence, err
}

func (j crashingLedger) Read(ctx context.Context, from uint64) iter.Seq2[writer.Record, error] {
	if j.crash != nil && j.crash.left.Load() < 0 {
		return func(yield func(writer.Record, error) bool) { yield(writer.Record{}, errCrashed) }
	}
	return j.Ledger.Read(ctx, from)
}

func person(id string) decide.Origin {
	return decide.Origin{Actor: id, Reason: "because", Principal: access.Principal{ID: id}}
}

// owner changes what it wants, without asking.
func owner() decide.Origin { return decide.Origin{Actor: "owner", Owner: true} }

// force writes a flag whatever it is.
func (r *replica) force(key, description string) decide.Precondition {
	r.t.Helper()
	state, err := r.Current(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	now := absent()
	if live, exists := state.Document(statetest.FlagID(key)); exists {
		now = decide.Precondition{Match: decide.Token(state, live)}
	}
	result, err := r.Do(r.t.Context(), owner(), decide.Put{
		ID: statetest.FlagID(key), If: now, Body: statetest.FlagBody("on", fmt.Sprintf(`,"description":%q`, description)),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return decide.Precondition{Match: result.Document}
}

// open opens a request that describes a flag.
func (r *replica) open(key, description string, now decide.Precondition) requests.Request {
	r.t.Helper()
	request, err := r.Open(r.t.Context(), person("author"), decide.ProposalSpec{
		Command: decide.Patch{ID: statetest.FlagID(key), If: now, Merge: fmt.Appendf(nil, `{"description":%q}`, description)},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return request
}

func (r *replica) approve(request requests.Request) {
	r.t.Helper()
	for _, who := range []string{"one", "two"} {
		if _, err := r.HandleRequest(r.t.Context(), person(who), decide.Approve{Request: request.ID, Hash: request.Hash}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// entries counts what a request has written to the log.
func (r *replica) entries(request string) int {
	r.t.Helper()
	n, err := r.count(request)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *replica) count(request string) (int, error) {
	head, err := r.log.Head(r.t.Context())
	if err != nil {
		return 0, err
	}
	n := 0
	for record, err := range r.log.Read(r.t.Context(), changelog.Position{}, head.Revision) {
		if err != nil {
			return 0, err
		}
		if record.Request == request {
			n++
		}
	}
	return n, nil
}

// isRefused tells for which cause something was refused.
func isRefused(err error, cause decide.Cause) bool {
	refusal, ok := errors.AsType[*decide.Refusal](err)
	return ok && refusal.Cause == cause
}
