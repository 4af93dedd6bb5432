package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// TestNoiseBeforeTheFirstEntry stands in the stream before the environment is made.
func TestNoiseBeforeTheFirstEntry(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	settings := config(t, n.c, "FLAGS_prod")
	first := n.stored(t, 1)
	l.deleteStreams(t, "FLAGS_prod", "CONTROL")
	if answer := api(t, n.c, "STREAM.CREATE.FLAGS_prod", settings); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	early := startFollowing(t, connectSidecar(t, l.server.URL()), impatient)
	for _, msg := range []*nats.Msg{withHeaders("Status", "404"), {Subject: "flags.prod.bytes", Data: []byte("bytes")}} {
		store(t, n.c, msg)
	}
	early.until(t, "a log without an entry", func(s follow.Status) bool { return s.LastError != nil })
	if s := early.Status(); s.Synced || s.AgeKnown {
		t.Errorf("a log that holds only noise is complete: %+v", s)
	}
	l.create(t)
	store(t, n.c, first) // of the log that was
	head := l.write(t, put("a", "{}"))
	if head.Revision != 6 {
		t.Errorf("the head is revision %d, want 6", head.Revision)
	}
	for _, r := range []*running{early, startFollowing(t, connectSidecar(t, l.server.URL()))} {
		r.sees(t, l)
	}
}

// TestNoiseBehindTheHead is judged by the publisher: its heartbeats tell followers that
// nothing is to be read, and they stay live.
func TestNoiseBehindTheHead(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	l.write(t, put("a", "{}"))
	r := startFollowing(t, connectSidecar(t, l.server.URL()), patient)
	r.until(t, "synced", isSynced)
	reads := new(atomic.Int64)
	if _, err := n.c.Subscribe("$JS.API.DIRECT.GET.FLAGS_prod", func(m *nats.Msg) {
		if len(m.Reply) > len("_SC.") && m.Reply[:4] == "_SC." { // a sidecar's
			reads.Add(1)
		}
	}); err != nil {
		t.Fatal(err)
	}
	var end uint64
	for range 5 {
		end = store(t, n.c, &nats.Msg{Subject: "flags.prod.bytes", Data: []byte("bytes")})
	}
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	s := r.until(t, "judged noise", func(s follow.Status) bool { return s.Foreign.Messages == 5 })
	if want := (flagsync.Sequence{First: end - 4, Last: end}); len(s.Foreign.Last) != 1 || s.Foreign.Last[0] != want || s.Foreign.Since.IsZero() {
		t.Errorf("the status names %+v, want %+v", s.Foreign, want)
	}
	r.until(t, "a younger state", func(later follow.Status) bool { return later.LastConfirmed.After(s.LastConfirmed) })
	if reads.Load() > 0 {
		t.Errorf("noise was read %d times although the publisher has judged it", reads.Load())
	}
	l.write(t, put("b", "{}"))
	r.sees(t, l)
}

// TestTwoWritersWithNoiseBetween lets publishers append at once while noise is
// written: whatever they were told is true.
func TestTwoWritersWithNoiseBetween(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	warm := startFollowing(t, connectSidecar(t, l.server.URL()))
	told := newOutcomes()
	var writing, disturbing sync.WaitGroup
	stop := make(chan struct{})
	disturbing.Go(func() {
		pause := 25 * time.Millisecond
		for {
			select {
			case <-stop:
				return
			case <-time.After(pause):
			}
			began := time.Now()
			store(t, n.c, withHeaders("Status", "204"))
			pause = max(pause, 8*time.Since(began)) // seldom enough that writers find a gap, however busy the machine is
		}
	})
	for w := range 2 {
		own := freshLog(t, l)
		writing.Go(func() {
			for i := range 15 {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				basis, err := told.headOf(ctx, own)
				if err != nil {
					t.Error(err)
				} else {
					op := fmt.Sprintf("op-%d-%d", w, i)
					outcome, err := own.Append(ctx, basis, change(op, put("shared", fmt.Sprintf("%q", op)), put(op, "{}")))
					if err != nil && !errors.Is(err, writer.ErrForeignMessages) {
						t.Errorf("%s: %v", op, err)
					}
					told.note(op, outcome.State)
				}
				cancel()
			}
		})
	}
	writing.Wait()
	close(stop)
	disturbing.Wait()
	told.verify(t, l.Log, l.head(t))
	if told.count(writer.Committed) == 0 || told.count(writer.Open) > 0 {
		t.Errorf("%d committed, %d lost, %d open", told.count(writer.Committed), told.count(writer.Lost), told.count(writer.Open))
	}
	for _, r := range []*running{warm, startFollowing(t, connectSidecar(t, l.server.URL()))} {
		r.sees(t, l)
	}
}

// TestAFloodOfNoise writes a few thousand messages as fast as the server takes them:
// writers get through or are told why not, and followers stay live.
func TestAFloodOfNoise(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	head := l.write(t, put("a", "{}"))
	forged := entryMessage(t, n.next(t, "forged"), trusttest.New().Signer(), environment)
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	r := startFollowing(t, connectSidecar(t, l.server.URL()), impatient)
	r.until(t, "synced", isSynced)
	const writers, messages = 2, 3000
	var flooding sync.WaitGroup
	for range writers {
		c := l.server.Client(t)
		js, err := c.JetStream(nats.PublishAsyncMaxPending(16))
		if err != nil {
			t.Fatal(err)
		}
		flooding.Go(func() {
			for i := range messages {
				msg := forged
				if i%2 == 0 {
					msg = withHeaders("Status", "404", "Nats-Sequence", "1")
				}
				copied := nats.NewMsg(msg.Subject)
				copied.Data, copied.Header = msg.Data, msg.Header
				if _, err := js.PublishMsgAsync(copied, nats.StallWait(patience)); err != nil {
					t.Error(err)
				}
			}
			<-js.PublishAsyncComplete()
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		flooding.Wait()
	}()
	committed, refusals := 0, 0
	for flooded := false; !flooded; {
		select {
		case <-done:
			flooded = true
		default:
		}
		outcome, err := l.append(t, t.Context(), head, change(fmt.Sprint("op-", committed), put("a", fmt.Sprint(committed))))
		switch {
		case errors.Is(err, writer.ErrForeignMessages):
			refusals++
		case err != nil || outcome.State != writer.Committed:
			t.Fatalf("append during the flood: %s, %v", outcome.State, err)
		default:
			head = outcome.Position
			committed++
		}
		r.barrier(t)
	}
	t.Logf("%d committed, %d refused", committed, refusals)
	if head.Revision == uint64(committed)+3 {
		t.Error("no noise came between")
	}
	r.sees(t, l)
	startFollowing(t, connectSidecar(t, l.server.URL()), impatient).sees(t, l)
	if s := r.Status(); s.Foreign.Messages < writers*messages {
		t.Errorf("%d foreign messages are named, want %d or more", s.Foreign.Messages, writers*messages)
	}
}

// TestForeignMessagesTakeEveryPlace stores a message in the place of a change each
// time that it is encoded, before it is sent.
func TestForeignMessagesTakeEveryPlace(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	head := l.write(t, put("a", "{}"))
	basis := l.basis(t, head)
	attempts, flooded := 0, true
	own, err := writer.OpenLog(t.Context(), connect(t, l.server.URL()), writer.LogOptions{
		Environment: environment, Replicas: 1,
		Anchors: func() (ledger, control changelog.Anchor) {
			if flooded {
				attempts++
				store(t, n.c, &nats.Msg{Subject: "flags.prod.bytes", Data: []byte("bytes")})
			}
			return ledger, control
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := change("never", put("b", "{}"))
	if outcome, err := own.Append(t.Context(), basis, c); !errors.Is(err, writer.ErrForeignMessages) {
		t.Errorf("%s, %v, want ErrForeignMessages", outcome.State, err)
	}
	if attempts != 16 {
		t.Errorf("it gave up after %d attempts, want 16", attempts)
	}
	flooded = false
	if outcome, err := own.Append(t.Context(), basis, c); err != nil || outcome.State != writer.Committed {
		t.Errorf("once there is no more noise: %s, %v", outcome.State, err)
	}
}

// TestRecreateWorksPastNoise begins a new epoch behind noise, between noise, and in a
// stream that holds nothing else.
func TestRecreateWorksPastNoise(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: writes thousands of documents one after the other, which go test without it does")
	}
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	held := l.fill(t, "flag-", 3)
	away := l.away(t)
	r := startFollowing(t, connectSidecar(t, l.server.URL()), impatient)
	r.until(t, "synced", isSynced)
	latecomers := func() {
		t.Helper()
		for _, r := range []*running{r, followInto(t, connectSidecar(t, l.server.URL()), away, impatient), startFollowing(t, connectSidecar(t, l.server.URL()), impatient)} {
			r.sees(t, l)
		}
		away = l.away(t)
	}
	store(t, n.c, withHeaders("Status", "404"))
	renewed := l.renew(t, "behind", put("a", "{}"), put("b", "{}"))
	if renewed.Revision != held.Revision+5 {
		t.Errorf("the new epoch ends at %d, want %d", renewed.Revision, held.Revision+5)
	}
	latecomers()

	between := renewal("between")
	between.Count = changelog.MaxEntries + 5
	between.Documents = func(yield func(document.Document) bool) {
		for i := range between.Count {
			if i == changelog.MaxEntries-1 { // the first transaction is written
				for range 3 {
					store(t, n.c, n.stored(t, held.Revision))
				}
			}
			if !yield(put(fmt.Sprint("new-", i), "{}")) {
				return
			}
		}
	}
	environments, err := writer.OpenEnvironments(t.Context(), l.conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	position, err := environments.Recreate(t.Context(), environment, between)
	if err != nil {
		t.Fatal(err)
	}
	if want := renewed.Revision + uint64(between.Count) + 2 + 3; position.Revision != want {
		t.Errorf("it ends at %d, want %d", position.Revision, want)
	}
	l.Log = freshLog(t, l)
	latecomers()
	if r.target.count() != between.Count {
		t.Errorf("%d documents, want %d", r.target.count(), between.Count)
	}

	settings := config(t, n.c, "FLAGS_prod")
	old := n.stored(t, held.Revision)
	l.deleteStreams(t, "FLAGS_prod")
	if answer := api(t, n.c, "STREAM.CREATE.FLAGS_prod", settings); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	for range 3 {
		store(t, n.c, old)
		store(t, n.c, withHeaders("Nats-Sequence", "9"))
	}
	r.until(t, "a log of noise", func(s follow.Status) bool { return s.DifferentHistory != nil })
	if r.target.count() != between.Count {
		t.Errorf("noise took %d documents away", between.Count-r.target.count())
	}
	l.renew(t, "only noise", put("c", "{}"))
	latecomers()
	l.write(t, put("d", "{}"))
	latecomers()
}

// TestTheSnapshotterOverwritesNoise puts noise in the place of the manifest: followers
// read the log, and the next snapshot takes its place.
func TestTheSnapshotterOverwritesNoise(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	for range 20 {
		l.write(t, put("again", "{}"))
	}
	l.publish(t)
	js := natstest.JetStream(t, n.c)
	manifest, err := js.GetLastMsg("SNAP_prod", "snap.prod.manifest")
	if err != nil {
		t.Fatal(err)
	}
	proof := manifest.Header.Get(changelog.ProofHeader)
	forged := func(data []byte, proofs ...string) *nats.Msg {
		msg := nats.NewMsg("snap.prod.manifest")
		msg.Data, msg.Header[changelog.ProofHeader] = data, proofs
		return msg
	}
	staging, signature := signAsManifest(t, trusttest.Default().Signer(), "staging", map[string]any{"v": 2})
	heartbeat := signedHeartbeat(t, heartbeat(l.head(t), "by", 1))
	for name, msg := range map[string]*nats.Msg{
		"bytes":                  forged([]byte("bytes")),
		"nothing":                forged(nil),
		"two proofs":             forged(manifest.Data, proof, proof),
		"other bytes":            forged(append([]byte(" "), manifest.Data...), proof),
		"no proof":               forged(manifest.Data),
		"of another environment": forged(staging, string(signature)),
		"a heartbeat":            forged(heartbeat.Data, heartbeat.Header.Get(changelog.ProofHeader)),
	} {
		t.Run(name, func(t *testing.T) {
			store(t, n.c, msg)
			fresh := startFollowing(t, connectSidecar(t, l.server.URL()), early)
			fresh.sees(t, l)
			if fresh.target.loaded() > 0 {
				t.Error("a snapshot was loaded")
			}
			for range 10 {
				l.write(t, put("again", fmt.Sprintf("%q", name)))
			}
			l.publish(t)
			fresh = startFollowing(t, connectSidecar(t, l.server.URL()), early)
			fresh.sees(t, l)
			if fresh.target.loaded() != 1 {
				t.Error("what was published over it was not loaded")
			}
		})
	}
}

// TestANewerFormatStopsPublishers says what stands in the log, and writes nothing.
func TestANewerFormatStopsPublishers(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	held := l.write(t, put("a", "{}"))
	basis := l.basis(t, held)
	publishSigned(t, l.server.Client(t), entry(held, "newer", "b", 1, 1), []byte(`{"v":3}`))
	if _, err := l.Head(t.Context()); !errors.Is(err, changelog.ErrVersion) {
		t.Errorf("head: %v, want ErrVersion", err)
	}
	if outcome, err := l.Append(t.Context(), basis, change("op", put("b", "{}"))); err != nil || outcome.State != writer.Lost {
		t.Errorf("append: %s, %v, want it lost to the other", outcome.State, err)
	}
	for _, c := range []*flagsync.Conn{connectSidecar(t, l.server.URL()), connect(t, l.server.URL())} {
		r := startFollowing(t, c, impatient)
		s := r.until(t, "unreadable", func(s follow.Status) bool { return s.Unreadable != nil })
		if !errors.Is(s.Unreadable, changelog.ErrVersion) || s.Applied != held {
			t.Errorf("it says %v at %+v, want ErrVersion at %+v", s.Unreadable, s.Applied, held)
		}
	}
	l.renew(t, "renewed", put("c", "{}"))
	startFollowing(t, connectSidecar(t, l.server.URL()), impatient).sees(t, l)
}

// TestNoiseOnACluster is written while the leadership moves.
func TestNoiseOnACluster(t *testing.T) {
	t.Parallel()
	servers, l := newReplicated(t)
	r := startFollowing(t, connectSidecar(t, l.url), impatient)
	r.until(t, "synced", isSynced)
	told := newOutcomes()
	c := natstest.Connect(t, l.url)
	for round := range 3 {
		for i := range 10 {
			patiently(t, func(ctx context.Context) error {
				soon, cancel := context.WithTimeout(ctx, time.Second) // a leader that is lost does not answer
				defer cancel()
				_, err := c.RequestMsgWithContext(soon, withHeaders("Status", "404", "Nats-Sequence", "1"))
				return err
			})
			told.append(t, l.Log, fmt.Sprintf("op-%d-%d", round, i))
		}
		servers.Leader(t, flagsOf).StepDown(t, flagsOf)
	}
	told.verify(t, l.Log, l.settled(t))
	l.verifyFollowers(t, []*running{r, startFollowing(t, connectSidecar(t, l.url), impatient)})
}

// signAsManifest returns the bytes of a manifest that may say anything, and their signature.
func signAsManifest(tb testing.TB, s *changelog.Signer, of string, manifest map[string]any) ([]byte, changelog.Signature) {
	tb.Helper()
	data, err := json.Marshal(manifest)
	if err != nil {
		tb.Fatal(err)
	}
	signature, err := s.SignManifest(of, data)
	if err != nil {
		tb.Fatal(err)
	}
	return data, signature
}
