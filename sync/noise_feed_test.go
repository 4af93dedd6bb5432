package flagsync_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// asFed returns a message as the server republishes it, with a sequence.
func asFed(msg *nats.Msg, sequence uint64) *nats.Msg {
	fed := nats.NewMsg("feed" + msg.Subject[len("flags"):])
	fed.Data = msg.Data
	for name, values := range msg.Header {
		fed.Header[name] = append([]string(nil), values...)
	}
	fed.Header.Add("Nats-Stream", "FLAGS_prod")
	fed.Header.Add("Nats-Subject", msg.Subject)
	fed.Header.Add("Nats-Sequence", fmt.Sprint(sequence))
	fed.Header.Add("Nats-Time-Stamp", time.Now().UTC().Format(time.RFC3339Nano))
	return fed
}

// TestAForgedFeed sends followers what the stream does not hold: nothing is applied, and
// nothing is called noise of the stream.
func TestAForgedFeed(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	held := l.write(t, put("a", "{}"))
	r := startFollowing(t, connectSidecar(t, l.server.URL()), patient)
	r.until(t, "synced", isSynced)
	next := held.Revision + 1
	for name, make := range kinds {
		msg := make(t, n)
		announce(t, n.c, asFed(msg, next), asFed(msg, held.Revision), asFed(msg, next+100), asFed(msg, 0), &nats.Msg{Subject: "feed.prod.x", Data: msg.Data})
		r.barrier(t)
		s := r.Status()
		if s.Applied != held || s.Head != held.Revision || s.Foreign.Messages > 0 || s.DifferentHistory != nil || s.Hole != nil || s.Unreadable != nil {
			t.Fatalf("%s: %+v", name, s)
		}
	}
	l.write(t, put("b", "{}"))
	r.sees(t, l)
}

// TestAFloodInTheFeed sends many entries with signatures that do not fit: they are
// not verified for ever, and what is true comes all the same.
func TestAFloodInTheFeed(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	held := l.write(t, put("a", "{}"))
	r := startFollowing(t, connectSidecar(t, l.server.URL()))
	r.until(t, "synced", isSynced)
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	for round := range 5 {
		for i := range 400 {
			e := entry(held, fmt.Sprint("forged-", round, "-", i), fmt.Sprint("forged-", i), 1, 1)
			announce(t, n.c, asFed(entryMessage(t, e, trusttest.Default().Signer(), "staging"), e.Revision))
		}
		held = l.write(t, put("a", fmt.Sprint(round)))
		r.reach(t, held.Revision)
		r.barrier(t)
	}
	r.sees(t, l)
}

// TestForgedHeartbeats are those that no publisher signed for the environment, and
// those that came before: none makes knowledge younger or moves the head.
func TestForgedHeartbeats(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	held := l.write(t, put("a", "{}"))
	r := startFollowing(t, connectSidecar(t, l.server.URL()), patient)
	r.until(t, "synced", isSynced)
	c := natstest.ConnectPublishers(t, l.server.URL())
	ahead := held
	ahead.Revision += 50
	true5 := signedHeartbeat(t, heartbeat(held, "publisher", 5))
	announce(t, c, true5)
	r.until(t, "a heartbeat", func(s follow.Status) bool { return !s.LastHeartbeat.IsZero() })

	unsigned := signedHeartbeat(t, heartbeat(ahead, "forger", 1))
	unsigned.Header.Del(changelog.ProofHeader)
	altered := signedHeartbeat(t, heartbeat(ahead, "forger", 2))
	altered.Data = append(altered.Data, ' ')
	twice := signedHeartbeat(t, heartbeat(ahead, "forger", 3))
	twice.Header.Add(changelog.ProofHeader, twice.Header.Get(changelog.ProofHeader))
	old := heartbeat(held, "another", 1)
	old.Time = time.Now().Add(-time.Hour)
	signedBy := func(k trusttest.Keys, environment string) *nats.Msg {
		data, signature, err := changelog.EncodeHeartbeat(k.Signer(), environment, heartbeat(ahead, "forger", 4))
		if err != nil {
			t.Fatal(err)
		}
		msg := nats.NewMsg(heartbeatSubject)
		msg.Data = data
		msg.Header.Set(changelog.ProofHeader, string(signature))
		return msg
	}
	before := r.Status()
	for name, msg := range map[string]*nats.Msg{
		"bytes": {Subject: heartbeatSubject, Data: []byte("bytes")}, "unsigned": unsigned, "altered": altered, "two proofs": twice,
		"the same again": true5, "a lower number": signedHeartbeat(t, heartbeat(held, "publisher", 4)), "an old one of another": signedHeartbeat(t, old),
		"another environment": signedBy(trusttest.Default(), "staging"), "another installation": signedBy(trusttest.New(), environment),
	} {
		refused := r.Status().Refused
		announce(t, c, msg)
		s := r.until(t, name, func(s follow.Status) bool { return s.Refused == refused+1 })
		if !s.LastHeartbeat.Equal(before.LastHeartbeat) || !s.LastConfirmed.Equal(before.LastConfirmed) || s.Head != before.Head {
			t.Errorf("%s: last heartbeat %s, confirmed %s, head %d", name, s.LastHeartbeat, s.LastConfirmed, s.Head)
		}
	}
	announce(t, c, signedHeartbeat(t, heartbeat(held, "publisher", 6)))
	r.until(t, "the next one", func(s follow.Status) bool { return s.LastHeartbeat.After(before.LastHeartbeat) })
}
