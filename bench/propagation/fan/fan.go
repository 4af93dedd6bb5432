// Package fan measures how long changes take to the last of many followers. The followers are in this process; publisher and server are one of their own.
package fan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
)

// fan is many followers in this process, each with a connection of its own, as
// so many sidecars have. They hold documents and compile nothing.
type fan struct {
	size      int
	followers []*follow.Follower
	listeners []*listener
	failed    chan error     // of listeners
	missing   atomic.Int64   // followers that have not applied the change under way
	last      chan time.Time // when the last of them had
	states    sync.Map       // digests of the states that followers share, by position
	stop      context.CancelFunc
	running   sync.WaitGroup
	conns     []*flagsync.Conn
}

// Options say what is measured.
type Options struct {
	Size    int  // how many followers there are
	Changes int  // how many changes are counted, after [WarmUp] that are not
	Verify  bool // each follower verifies for itself
	Listen  bool // instead of followers there are listeners, which hear the same and check nothing
	// NATS are the servers, host:port, that the followers connect to in turn; none means that of the publisher. NKey is a file with the seed of
	// their NATS user; empty means that they are guests.
	NATS []string
	NKey string
	// Others are processes whose use is measured as that of the publisher.
	Others []*process.Process
	// Profile is a file for a CPU profile of this process while it measures; empty means none.
	Profile string
}

// Measure follows a new environment of the publisher, whose programs are b, and makes changes in it one after another.
func Measure(ctx context.Context, b process.Binaries, p *process.Publisher, environment string, o Options) (Measured, error) {
	if err := b.CreateEnvironment(ctx, p.Admin, environment); err != nil {
		return Measured{}, err
	}
	return MeasureIn(ctx, b, p, environment, o)
}

// MeasureIn does the same in an environment that exists, and has no flags.
func MeasureIn(ctx context.Context, b process.Binaries, p *process.Publisher, environment string, o Options) (m Measured, err error) {
	trust, err := b.Trust()
	if err != nil {
		return Measured{}, err
	}
	if len(o.NATS) == 0 {
		o.NATS = []string{p.NATS}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(garbagePercent))
	pids := []int{p.PID(), os.Getpid()}
	for _, other := range o.Others {
		pids = append(pids, other.PID())
	}
	used, alone, err := watch(pids...)
	if err != nil {
		return Measured{}, err
	}
	begin := start
	if o.Listen {
		begin = startListeners
	}
	f, err := begin(ctx, environment, trust, o)
	defer f.close()
	if err != nil {
		return Measured{}, err
	}
	atRest, err := used.atRest(ctx)
	if err != nil {
		return Measured{}, err
	}
	if o.Profile != "" {
		stop, err := profile(o.Profile)
		if err != nil {
			return Measured{}, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	if m.Times, err = f.measure(ctx, p, environment, o.Changes); err != nil {
		return Measured{}, err
	}
	during, took, err := used.lap()
	if err != nil {
		return Measured{}, err
	}
	for i := range during {
		use := newUse(o.Changes+WarmUp, during[i], took, atRest[i], during[i].resident-alone[i].resident)
		switch i {
		case 0:
			m.Publisher = use
		case 1:
			m.Followers = use
		default:
			m.Others = append(m.Others, use)
		}
	}
	return m, nil
}

// garbagePercent is how much garbage may stand beside what is in use in the process of the followers. A thousand sidecars are as many processes with
// as many small heaps: one collection for all of them at once, in the middle of a change, is no part of what is measured.
const garbagePercent = 400

// start starts followers all at once and waits until each is complete. They
// share one verdict about each signature and each state unless each verifies for
// itself, as sidecars in pods of their own do: on the machine that runs all of
// them, that time would be taken from what is measured.
func start(ctx context.Context, environment string, trust changelog.Trust, o Options) (*fan, error) {
	shared := changelog.NewKeyring(trust)
	ctx, stop := context.WithCancel(ctx)
	f := &fan{size: o.Size, last: make(chan time.Time, 1), stop: stop}
	for i := range o.Size {
		keys := shared
		if o.Verify {
			keys = changelog.NewKeyring(trust)
		}
		connection := flagsync.ConnectOptions{
			URL: "nats://" + o.NATS[i%len(o.NATS)], Environment: environment, InboxPrefix: fmt.Sprintf("_SC.%s.follower-%d", environment, i),
			Keyring: keys, Name: fmt.Sprint("follower-", i), NKey: o.NKey, Logger: zerolog.Nop(),
		}
		if o.NKey == "" {
			connection.User = environment
		}
		conn, err := flagsync.Connect(ctx, connection)
		if err != nil {
			return f, err
		}
		f.conns = append(f.conns, conn)
		target := &heldDocuments{fan: f, documents: make(map[document.ID]document.Document)}
		if o.Verify {
			target.state = changelog.State{}.Edit()
		}
		follower, err := follow.New(conn, target, follow.Options{Environment: environment, Logger: zerolog.Nop()})
		if err != nil {
			return f, err
		}
		f.followers = append(f.followers, follower)
		f.running.Go(func() { _ = follower.Run(ctx) }) // fails only when the connection is closed, which ends it
	}
	for _, follower := range f.followers {
		err := process.Await(ctx, "waiting for a follower to be complete", func() bool { return follower.Status().Synced })
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// startListeners starts listeners in the place of followers.
func startListeners(ctx context.Context, environment string, _ changelog.Trust, o Options) (*fan, error) {
	f := &fan{size: o.Size, last: make(chan time.Time, 1), failed: make(chan error, 1), stop: func() {}}
	for i := range o.Size {
		l, err := listen(ctx, f, o.NATS[i%len(o.NATS)], environment)
		if l != nil {
			f.listeners = append(f.listeners, l)
		}
		if err != nil {
			return f, err
		}
		f.running.Go(func() {
			if err := l.run(); err != nil {
				select {
				case f.failed <- err:
				default: // one is enough
				}
			}
		})
	}
	return f, nil
}

// close ends all followers.
func (f *fan) close() {
	f.stop()
	for _, l := range f.listeners {
		_ = l.conn.Close()
	}
	f.running.Wait()
	for _, conn := range f.conns {
		conn.Close()
	}
}

// Measured is what it takes to bring changes to many followers.
type Measured struct {
	Times     figures.Durations // from the start of each PUT until the last follower had applied it
	Publisher Use               // of the publisher and, if it is embedded, its server
	Followers Use               // of this process, with all of them
	Others    []Use             // of other processes, in their order
}

// measure makes changes one after another.
func (f *fan) measure(ctx context.Context, p *process.Publisher, environment string, changes int) (times figures.Durations, err error) {
	match := ""
	for i := range changes + WarmUp {
		var took time.Duration
		if took, match, err = f.change(ctx, p, environment, match, i); err != nil {
			return nil, err
		}
		if i >= WarmUp {
			times = append(times, took)
		}
		Pause(i)
	}
	return times, nil
}

// change makes the i-th change and waits until all followers have applied it.
func (f *fan) change(ctx context.Context, p *process.Publisher, environment, match string, i int) (time.Duration, string, error) {
	f.missing.Store(int64(f.size))
	start := time.Now()
	match, err := p.PutFlag(ctx, environment, Key, match, Document(i))
	if err != nil {
		return 0, "", err
	}
	select {
	case at := <-f.last:
		return at.Sub(start), match, nil
	case err := <-f.failed:
		return 0, "", err
	case <-time.After(changeTimeout):
		return 0, "", fmt.Errorf("change %d: %d of %d followers do not have it after %s", i, f.missing.Load(), f.size, changeTimeout)
	case <-ctx.Done():
		return 0, "", ctx.Err()
	}
}

// changeTimeout is how long a change may take to reach everybody.
const changeTimeout = 30 * time.Second

// applied is called by each follower for what it has applied.
func (f *fan) applied(transactions int) {
	if f.missing.Add(-int64(transactions)) == 0 {
		f.last <- time.Now()
	}
}

// heldDocuments is a target without a ruleset. It belongs to one follower.
type heldDocuments struct {
	fan       *fan
	position  changelog.Position
	documents map[document.ID]document.Document
	state     *changelog.StateEdit // nil: the followers share theirs
}

// Position implements [follow.Target].
func (h *heldDocuments) Position() changelog.Position { return h.position }

// StateDigest implements [follow.Target].
func (h *heldDocuments) StateDigest() changelog.Digest {
	if h.state == nil {
		return h.sharedDigest()
	}
	state := h.state.State()
	h.state = state.Edit()
	return state.Digest()
}

// sharedDigest is computed by the first follower that is asked for it.
func (h *heldDocuments) sharedDigest() changelog.Digest {
	if known, ok := h.fan.states.Load(h.position); ok {
		return known.(changelog.Digest)
	}
	state := changelog.State{}.Edit()
	for _, d := range h.documents {
		state.Add(d)
	}
	digest := state.State().Digest()
	h.fan.states.Store(h.position, digest)
	return digest
}

// Synced implements [follow.Target].
func (h *heldDocuments) Synced() {}

// Load implements [follow.Target].
func (h *heldDocuments) Load(s *changelog.SnapshotReader) error {
	for {
		d, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		h.add(d)
	}
	h.position = s.Header().Head.Position
	return nil
}

// Apply implements [follow.Target].
func (h *heldDocuments) Apply(transactions []changelog.Transaction) error {
	for _, tx := range transactions {
		for _, r := range tx {
			h.take(r)
		}
		h.position = tx.Position()
	}
	h.fan.applied(len(transactions))
	return nil
}

func (h *heldDocuments) take(r changelog.Record) {
	if r.Kind == document.KindEpoch {
		return
	}
	if old, ok := h.documents[r.ID()]; ok && h.state != nil {
		h.state.Remove(old)
	}
	delete(h.documents, r.ID())
	if !r.Delete {
		h.add(r.Document())
	}
}

func (h *heldDocuments) add(d document.Document) {
	h.documents[d.ID()] = d
	if h.state != nil {
		h.state.Add(d)
	}
}
