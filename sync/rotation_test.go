package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// rotating is a log whose signing keys change.
type rotating struct {
	t       *testing.T
	server  *natstest.Server
	keys    trusttest.Keys
	version uint64
	known   bases
}

// signingKey is one of several.
type signingKey struct {
	public string
	signer *changelog.Signer
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	r := &rotating{t: t, server: natstest.Start(t), keys: trusttest.New(), version: 1}
	environments, err := writer.OpenEnvironments(t.Context(), r.connect(r.first()), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), environment, writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	return r
}

// first returns the key that the log begins with.
func (r *rotating) first() signingKey {
	return signingKey{public: r.keys.Note.Keys[0], signer: r.keys.Signer()}
}

func (r *rotating) newKey() signingKey {
	r.t.Helper()
	secret, public, err := changelog.GenerateKey(r.keys.Installation)
	if err != nil {
		r.t.Fatal(err)
	}
	signer, err := changelog.NewSigner(secret)
	if err != nil {
		r.t.Fatal(err)
	}
	return signingKey{public, signer}
}

// note returns the next version of the keys note.
func (r *rotating) note(keys ...signingKey) changelog.KeysNote {
	r.t.Helper()
	r.version++
	var public []string
	for _, k := range keys {
		public = append(public, k.public)
	}
	note, err := changelog.NewKeysNote(r.keys.Installation, r.version, r.keys.Root, public...)
	if err != nil {
		r.t.Fatal(err)
	}
	return note
}

// connect returns a publisher's connection, whose keyring knows the first note, or
// one that is given.
func (r *rotating) connect(k signingKey, note ...changelog.KeysNote) *flagsync.Conn {
	r.t.Helper()
	ring := r.keys.PublisherKeyring()
	for _, n := range note {
		propose(r.t, ring, n)
	}
	return connectWith(r.t, flagsync.ConnectOptions{URL: r.server.URL(), Signer: k.signer, Keyring: ring})
}

// propose gives a publisher a new keys note, as its files do.
func propose(t *testing.T, ring *changelog.Keyring, note changelog.KeysNote) {
	t.Helper()
	if err := ring.Propose(note.Text); err != nil {
		t.Fatal(err)
	}
}

// sidecar returns the connection of one that knows the root key only.
func (r *rotating) sidecar() *flagsync.Conn {
	r.t.Helper()
	return connectWith(r.t, flagsync.ConnectOptions{
		URL: r.server.URL(), Environment: environment, NKey: natstest.SidecarKey(r.t), InboxPrefix: "_SC." + environment + "." + changelog.NewInstallation(),
		Keyring: r.keys.Keyring(),
	})
}

// write appends documents at the head, again while another publisher is faster.
func (r *rotating) write(l *writer.Log, op string, documents ...document.Document) (changelog.Position, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	for {
		head, err := l.Head(ctx)
		if err != nil {
			return head, err
		}
		outcome, err := r.known.append(ctx, l, head, change(op, documents...))
		if err != nil || outcome.State == writer.Committed {
			return outcome.Position, err
		}
		if outcome.State == writer.Open {
			return head, fmt.Errorf("%s is open", op)
		}
	}
}

func (r *rotating) announce(l *writer.Log, note changelog.KeysNote) {
	r.t.Helper()
	d, err := changelog.KeysDocument(note)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.write(l, fmt.Sprint("keys-", note.Version), d); err != nil {
		r.t.Fatal(err)
	}
}

// load writes until the returned function is called.
func (r *rotating) load(n int, l *writer.Log) (stop func()) {
	return run(r.t, func(ctx context.Context) error {
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := r.write(l, fmt.Sprintf("load-%d-%d", n, i), put(fmt.Sprint("flag-", i%20), fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return nil
	})
}

// away returns the target of a follower that has ended.
func (r *rotating) away(l *writer.Log) *mapTarget {
	r.t.Helper()
	target := newMapTarget(r.t)
	f, err := follow.New(r.sidecar(), target, follow.Options{Environment: environment, Logger: testLogger})
	if err != nil {
		r.t.Fatal(err)
	}
	stop := run(r.t, f.Run)
	head, err := l.Head(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	(&running{Follower: f, target: target}).reach(r.t, head.Revision)
	stop()
	return target
}

// settles waits until a follower holds what the log does.
func (r *rotating) settles(what string, f *running, head changelog.Position) {
	r.t.Helper()
	f.until(r.t, what, func(s follow.Status) bool { return s.Applied == head })
	f.barrier(r.t)
	s := f.Status()
	if err := errors.Join(s.DifferentHistory, s.Hole, s.Unreadable, s.DifferentState); err != nil || s.Foreign.Messages > 0 {
		r.t.Errorf("%s: %v, foreign %+v", what, err, s.Foreign)
	}
	basis := r.known.at(r.t, openLog(r.t, r.connect(r.first()), 1), head)
	if got := f.target.StateDigest(); got != basis.State().Digest() {
		r.t.Errorf("%s holds %d documents of another state", what, f.target.count())
	}
}

// TestASigningKeyIsRotated changes the signing key twice while a publisher with each
// writes: followers that are there, one that slept through both, cold ones, and one that
// begins with a snapshot see all of it.
func TestASigningKeyIsRotated(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	keys := []signingKey{r.first(), r.newKey(), r.newKey()}
	conns := []*flagsync.Conn{r.connect(keys[0])}
	logs := []*writer.Log{openLog(t, conns[0], 1)}
	if _, err := r.write(logs[0], "begin", put("a", "{}")); err != nil {
		t.Fatal(err)
	}
	run(t, writer.NewHeartbeater(logs[0], testLogger).Run)
	warm, sleeper := startFollowing(t, r.sidecar()), r.away(logs[0])
	warm.until(t, "synced", isSynced)

	stop := r.load(0, logs[0])
	for i := 1; i < len(keys); i++ {
		both := r.note(keys[i-1], keys[i])
		propose(t, conns[i-1].Keyring(), both)
		r.announce(logs[i-1], both)
		conns = append(conns, r.connect(keys[i], both))
		logs = append(logs, openLog(t, conns[i], 1))
		run(t, writer.NewHeartbeater(logs[i], testLogger).Run)
		next := r.load(i, logs[i])
		time.Sleep(50 * time.Millisecond) // both write
		stop()                            // the one before has switched keys
		stop = next
		only := r.note(keys[i])
		propose(t, conns[i].Keyring(), only)
		r.announce(logs[i], only)
		if _, err := r.write(logs[i-1], fmt.Sprint("late-", i), put("late", "{}")); !errors.Is(err, writer.ErrKeyRetired) {
			t.Errorf("append with the key before: %v, want ErrKeyRetired", err)
		}
	}
	stop()
	fresh := openLog(t, r.connect(keys[2]), 1)
	head, err := fresh.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.settles("a warm follower", warm, head)
	r.settles("one that slept", followInto(t, r.sidecar(), sleeper), head)
	r.settles("a cold one", startFollowing(t, r.sidecar()), head)
	if published, err := fresh.PublishSnapshot(t.Context(), warm.target); err != nil || !published {
		t.Fatalf("published %t, %v", published, err)
	}
	snapped := startFollowing(t, r.sidecar(), early)
	r.settles("one that begins with a snapshot", snapped, head)
	if snapped.target.loaded() != 1 {
		t.Errorf("%d snapshots loaded, want 1", snapped.target.loaded())
	}
}

// TestARetiredKeySignsNothing takes the key of a publisher away: it is told so, and
// what is signed with it afterwards is noise.
func TestARetiredKeySignsNothing(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	stolen, key := r.first(), r.newKey()
	retired := openLog(t, r.connect(stolen), 1)
	if _, err := r.write(retired, "begin", put("a", "{}")); err != nil {
		t.Fatal(err)
	}
	sleeper := r.away(retired)
	warm := startFollowing(t, r.sidecar(), patient)
	warm.until(t, "synced", isSynced)
	only := r.note(key)
	own := openLog(t, r.connect(key, only), 1) // though nothing of the log is signed with the new key yet
	startFollowing(t, r.connect(key, only)).until(t, "a publisher that begins now", isSynced)
	r.announce(own, only)

	c, head := r.server.Client(t), changelog.Position{}
	for i := range 3 {
		var err error
		if head, err = own.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
		basis := r.known.at(t, own, head)
		e := entry(head, fmt.Sprint("stolen-", i), "stolen", 1, 1)
		e.State = writer.After(basis, changelog.Transaction{{Entry: e}}).State().Digest()
		forged := entryMessage(t, e, stolen.signer, environment)
		if i%2 == 0 {
			store(t, c, forged)
		}
		announce(t, c, asFed(forged, e.Revision))
		if _, err := r.write(retired, fmt.Sprint("retired-", i), put("retired", "{}")); !errors.Is(err, writer.ErrKeyRetired) {
			t.Errorf("append with a retired key: %v, want ErrKeyRetired", err)
		}
		if head, err = r.write(own, fmt.Sprint("op-", i), put("b", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		warm.reach(t, head.Revision)
	}
	data, signature, err := changelog.EncodeHeartbeat(stolen.signer, environment, heartbeat(head, "thief", 1))
	if err != nil {
		t.Fatal(err)
	}
	refused := warm.Status().Refused
	beat := signedHeartbeat(t, heartbeat(head, "thief", 1))
	beat.Data = data
	beat.Header.Set(changelog.ProofHeader, string(signature))
	announce(t, natstest.ConnectPublishers(t, r.server.URL()), beat)
	warm.until(t, "a heartbeat that is refused", func(s follow.Status) bool { return s.Refused == refused+1 && s.LastHeartbeat.IsZero() })
	for name, f := range map[string]*running{"warm": warm, "asleep": followInto(t, r.sidecar(), sleeper), "cold": startFollowing(t, r.sidecar())} {
		f.until(t, name, func(s follow.Status) bool { return s.Applied == head })
		f.barrier(t)
		if s := f.Status(); f.target.body("stolen") != "" || f.target.count() != 2 || s.DifferentHistory != nil || s.Foreign.Messages == 0 {
			t.Errorf("%s: it holds %d documents, among them %q; %+v", name, f.target.count(), f.target.body("stolen"), s)
		}
	}
}

// overtaken lets a publisher with the key before write after another one has got a
// note that retires that key, and before this one has written the note.
func (r *rotating) overtaken(get func(*testing.T, *changelog.Keyring, changelog.KeysNote)) (own *writer.Log, warm *running, late, head changelog.Position) {
	t := r.t
	t.Helper()
	before, after := r.first(), r.newKey()
	both := r.note(before, after)
	slow := openLog(t, r.connect(before, both), 1)
	r.announce(slow, both)
	c := r.connect(after, both)
	own = openLog(t, c, 1)
	if _, err := r.write(own, "begin", put("a", "{}")); err != nil {
		t.Fatal(err)
	}
	warm = startFollowing(t, r.sidecar(), impatient)
	warm.until(t, "synced", isSynced)
	only := r.note(after)
	get(t, c.Keyring(), only)
	var err error
	if late, err = r.write(slow, "late", put("late", "{}")); err != nil {
		t.Fatal(err)
	}
	warm.reach(t, late.Revision)
	r.announce(own, only)
	if head, err = r.write(own, "after", put("b", "{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.write(slow, "too late", put("c", "{}")); !errors.Is(err, writer.ErrKeyRetired) {
		t.Errorf("append with the key before: %v, want ErrKeyRetired", err)
	}
	return own, warm, late, head
}

// TestWhatALatePublisherWroteStays retires a key in the files of one publisher while
// another one, which has not noticed, writes with it.
func TestWhatALatePublisherWroteStays(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	_, warm, late, head := r.overtaken(propose)
	for _, f := range []*running{warm, startFollowing(t, r.sidecar())} {
		r.settles("a follower", f, head)
		if f.target.body("late") == "" || late.Revision >= head.Revision {
			t.Error("what was committed is gone")
		}
	}
}

// TestALogThatGoesAroundWhatIsHeld is what a publisher makes that did not count what
// another one has written with a key that is retired: who has seen that leaves it for
// the log, in which it looks like noise.
func TestALogThatGoesAroundWhatIsHeld(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	own, warm, late, head := r.overtaken(func(t *testing.T, ring *changelog.Keyring, note changelog.KeysNote) {
		t.Helper()
		if err := ring.Adopt(note.Text); err != nil { // as if it stood in the log
			t.Fatal(err)
		}
	})
	run(t, writer.NewHeartbeater(own, testLogger).Run)
	for name, f := range map[string]*running{"a cold one": startFollowing(t, r.sidecar()), "one that has seen it": warm} {
		f.until(t, name, func(s follow.Status) bool { return s.Applied == head && s.Synced && s.DifferentHistory == nil })
		if f.target.body("late") != "" {
			t.Errorf("%s holds what was written at revision %d", name, late.Revision)
		}
	}
}

// thief returns a server of a thief, who has the first key, with the log of the
// environment as far as it goes now, or with one that begins anew.
func (r *rotating) thief(copied bool) *rotating {
	r.t.Helper()
	t := &rotating{t: r.t, server: natstest.Start(r.t), keys: r.keys, version: 1}
	if !copied {
		environments, err := writer.OpenEnvironments(r.t.Context(), t.connect(t.first()), 1)
		if err == nil {
			_, err = environments.Create(r.t.Context(), environment, writer.Order{Actor: "thief"})
		}
		if err != nil {
			r.t.Fatal(err)
		}
		return t
	}
	from, to := r.server.Client(r.t), t.server.Client(r.t)
	for _, stream := range []string{"CONTROL", "LEDGER_prod", "FLAGS_prod", "SNAP_prod"} {
		settings := config(r.t, from, stream)
		delete(settings, "metadata")
		if answer := api(r.t, to, "STREAM.CREATE."+stream, settings); answer["error"] != nil {
			r.t.Fatal(answer["error"])
		}
		for _, m := range natstest.Stored(r.t, from, stream) {
			natstest.Store(r.t, to, m)
		}
	}
	return t
}

// What a thief has signed with a key that was taken out since is left, whatever epoch
// and revision it claims: the sidecar reads the log that the true publishers go on
// with. Until their log holds the newest keys note, what is held is served on.
func TestAThiefsStateIsLeft(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ earlier, copied bool }{
		"an epoch before": {earlier: true}, "an epoch after": {}, "a fork": {copied: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stolen *rotating
			r := newRotating(t)
			if c.earlier {
				stolen, r = r, r.thief(false)
			}
			key := r.newKey()
			own := openLog(t, r.connect(r.first()), 1)
			if _, err := r.write(own, "begin", put("a", "{}")); err != nil {
				t.Fatal(err)
			}
			if stolen == nil {
				stolen = r.thief(c.copied)
			}
			forger := openLog(t, stolen.connect(stolen.first()), 1)
			for i := range 5 {
				if _, err := stolen.write(forger, fmt.Sprint("forged-", i), put("forged", fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
			}
			target := stolen.away(forger)
			if target.body("forged") == "" {
				t.Fatal("the thief's state is not held")
			}
			held := target.Position()

			f := followInto(t, r.sidecar(), target, impatient)
			f.until(t, "a log that is not its own", func(s follow.Status) bool { return s.DifferentHistory != nil })
			if f.target.Position() != held {
				t.Error("what is held was left although its key counts")
			}
			only := r.note(key)
			own = openLog(t, r.connect(key, only), 1)
			r.announce(own, only)
			run(t, writer.NewHeartbeater(own, testLogger).Run)
			head, err := r.write(own, "after", put("b", "{}"))
			if err != nil {
				t.Fatal(err)
			}
			f.until(t, "the true log", func(s follow.Status) bool {
				return s.Applied == head && s.DifferentHistory == nil
			})
			if target.body("forged") != "" || target.body("b") == "" || f.Status().StateTransfers != 1 {
				t.Errorf("it holds %d documents, forged %q, after %d takeovers", target.count(), target.body("forged"), f.Status().StateTransfers)
			}
		})
	}
}
