package flagsync_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// intruder writes messages that no publisher has signed for their place, with
// the rights of a publisher on NATS and without a signing key.
type intruder struct {
	*log
	c *nats.Conn
}

func newIntruder(tb testing.TB, l *log) *intruder {
	tb.Helper()
	return &intruder{l, l.server.Client(tb)}
}

// end returns the last sequence of the stream.
func (n *intruder) end(tb testing.TB) uint64 {
	tb.Helper()
	js := natstest.JetStream(tb, n.c)
	info, err := js.StreamInfo("FLAGS_prod")
	if err != nil {
		tb.Fatal(err)
	}
	return info.State.LastSeq
}

// stored returns a message as the stream holds it.
func (n *intruder) stored(tb testing.TB, sequence uint64) *nats.Msg {
	tb.Helper()
	js := natstest.JetStream(tb, n.c)
	m, err := js.GetMsg("FLAGS_prod", sequence)
	if err != nil {
		tb.Fatal(err)
	}
	again := nats.NewMsg(m.Subject)
	again.Data = m.Data
	again.Header.Set(changelog.ProofHeader, m.Header.Get(changelog.ProofHeader))
	return again
}

// next returns the entry that a publisher would write now, behind noise too.
func (n *intruder) next(tb testing.TB, key string) changelog.Entry {
	tb.Helper()
	head := n.head(tb)
	e := entry(head, "forged", key, 1, 1)
	e.Revision = n.end(tb) + 1
	e.State = writer.After(n.basis(tb, head), changelog.Transaction{{Entry: e}}).State().Digest()
	return e
}

// entryMessage returns an entry as a message, signed for an environment.
func entryMessage(tb testing.TB, e changelog.Entry, signer *changelog.Signer, environment string) *nats.Msg {
	tb.Helper()
	body, err := e.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	head := changelog.Head{
		Position: changelog.Position{Epoch: e.Epoch, Revision: e.Revision, Digest: changelog.Sum(body)}, State: e.State,
	}
	if head, err = signer.SignHead(environment, head); err != nil {
		tb.Fatal(err)
	}
	msg := nats.NewMsg("flags.prod." + changelog.Subject(e.ID()))
	msg.Data = body
	msg.Header.Set(changelog.ProofHeader, head.ProofText())
	return msg
}

// kinds are all kinds of noise, each made for the place that comes next.
var kinds = map[string]func(testing.TB, *intruder) *nats.Msg{
	"bytes": func(_ testing.TB, _ *intruder) *nats.Msg {
		return &nats.Msg{Subject: "flags.prod.bytes", Data: []byte("\x00no entry at all")}
	},
	"nothing": func(_ testing.TB, _ *intruder) *nats.Msg { return &nats.Msg{Subject: "flags.prod.nothing"} },
	"a deep subject": func(_ testing.TB, _ *intruder) *nats.Msg {
		return &nats.Msg{Subject: "flags.prod.a.b.c", Data: []byte("{}")}
	},
	"headers of the server": func(_ testing.TB, _ *intruder) *nats.Msg {
		return withHeaders("Nats-Sequence", "1", "Nats-Subject", "flags.prod.other", "Nats-Time-Stamp", "2001-01-01T00:00:00Z", "Nats-Stream", "X")
	},
	"headers of a far sequence": func(_ testing.TB, _ *intruder) *nats.Msg {
		return withHeaders("Nats-Sequence", "18446744073709551615", "Nats-Num-Pending", "0", "Nats-Last-Sequence", "1")
	},
	"status 404": func(_ testing.TB, _ *intruder) *nats.Msg {
		return withHeaders("Status", "404", "Description", "Message Not Found")
	},
	"status 204": func(_ testing.TB, _ *intruder) *nats.Msg { return withHeaders("Status", "204", "Description", "EOB") },
	"status 503": func(_ testing.TB, _ *intruder) *nats.Msg { return withHeaders("Status", "503") },
	"a batch":    func(_ testing.TB, _ *intruder) *nats.Msg { return withHeaders("Flagside-Proof", "", "Nats-Batch", "1") },
	"a long proof": func(_ testing.TB, n *intruder) *nats.Msg {
		return withHeaders(changelog.ProofHeader, strings.Repeat("0a", 16)+" - "+strings.Repeat("A", 30000))
	},
	"a true entry again": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		return n.stored(tb, n.head(tb).Revision)
	},
	"the first entry again": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		return n.stored(tb, 1)
	},
	"the keys note again": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		return n.stored(tb, 2)
	},
	"a true proof on other bytes": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		msg := n.stored(tb, n.head(tb).Revision)
		msg.Data = append(msg.Data[:len(msg.Data)-1], ' ', '}')
		return msg
	},
	"an entry of another environment": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		e := n.next(tb, "stolen")
		e.Environment = "staging"
		return entryMessage(tb, e, trusttest.Default().Signer(), "staging")
	},
	"an entry of another installation": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		return entryMessage(tb, n.next(tb, "foreign"), trusttest.New().Signer(), environment)
	},
	"an entry without a signature": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		msg := entryMessage(tb, n.next(tb, "unsigned"), trusttest.Default().Signer(), environment)
		msg.Header.Del(changelog.ProofHeader)
		return msg
	},
	"an entry with a bad signature": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		msg := entryMessage(tb, n.next(tb, "forged"), trusttest.Default().Signer(), "staging")
		return msg
	},
	"an entry with the signature of another": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		msg := entryMessage(tb, n.next(tb, "forged"), trusttest.Default().Signer(), "staging")
		proof := strings.Fields(msg.Header.Get(changelog.ProofHeader))
		proof[2] = strings.Fields(n.stored(tb, n.head(tb).Revision).Header.Get(changelog.ProofHeader))[2]
		msg.Header.Set(changelog.ProofHeader, strings.Join(proof, " "))
		return msg
	},
	"an entry with two proofs": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		msg := entryMessage(tb, n.next(tb, "twice"), trusttest.Default().Signer(), environment)
		msg.Header.Add(changelog.ProofHeader, msg.Header.Get(changelog.ProofHeader))
		return msg
	},
	"an entry of a later place": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		e := n.next(tb, "later")
		e.Revision++
		return entryMessage(tb, e, trusttest.Default().Signer(), environment)
	},
	"an entry under another subject": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		msg := entryMessage(tb, n.next(tb, "elsewhere"), trusttest.Default().Signer(), environment)
		msg.Subject = "flags.prod." + changelog.Subject(document.ID{Kind: document.KindFlag, Key: "other"})
		return msg
	},
	"an unsigned renewal": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		e := n.next(tb, document.EpochKey)
		e.Kind, e.Put, e.Complete, e.Leaves = document.KindEpoch, nil, 1, n.head(tb)
		e.Epoch = changelog.NewEpoch(time.Now(), e.Leaves.Epoch)
		return entryMessage(tb, e, trusttest.New().Signer(), environment)
	},
	"an unsigned newer format": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		msg := entryMessage(tb, n.next(tb, "newer"), trusttest.New().Signer(), environment)
		msg.Data = []byte(`{"v":3}`)
		return msg
	},
	"a keys note of another root": func(tb testing.TB, n *intruder) *nats.Msg {
		tb.Helper()
		keys := trusttest.New()
		note, err := changelog.KeysDocument(keys.Note)
		if err != nil {
			tb.Fatal(err)
		}
		e := n.next(tb, document.KeysKey)
		e.Kind, e.Put = note.Kind, note.Body
		return entryMessage(tb, e, keys.Signer(), environment)
	},
}

func withHeaders(pairs ...string) *nats.Msg {
	msg := nats.NewMsg("flags.prod.headers")
	msg.Data = []byte("headers")
	for pair := range slices.Chunk(pairs, 2) {
		msg.Header.Set(pair[0], pair[1])
	}
	return msg
}

// TestNoiseIsSkipped writes noise of every kind behind the head and between
// entries: a publisher goes on behind it, followers that are there, cold ones, and
// those that come back are live and hold what was signed, and name what they skipped.
func TestNoiseIsSkipped(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	l.write(t, put("a", "{}"))
	away := l.away(t)
	warm := startFollowing(t, connectSidecar(t, l.server.URL()))
	warm.until(t, "synced", isSynced)
	written := 1
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(name, func(t *testing.T) {
			before := warm.Status().Foreign.Messages
			sequence := store(t, n.c, kinds[name](t, n))
			warm.barrier(t) // with noise at the end
			s := warm.Status()
			if last := s.Foreign.Last; s.Foreign.Messages != before+1 || last[len(last)-1].Last != sequence {
				t.Fatalf("%s at %d: the status names %+v, before it were %d", name, sequence, s.Foreign, before)
			}
			cold := startFollowing(t, connectSidecar(t, l.server.URL()))
			back := followInto(t, connectSidecar(t, l.server.URL()), away)
			written++
			position := l.write(t, put("a", fmt.Sprintf(`{"n":%d}`, written)), put(fmt.Sprint("flag-", written), "{}"))
			if position.Revision != sequence+2 {
				t.Fatalf("%s: what was written behind %d has revision %d", name, sequence, position.Revision)
			}
			for _, r := range []*running{warm, cold, back} {
				r.reach(t, position.Revision)
				r.barrier(t)
				s := r.Status()
				if err := errors.Join(s.DifferentHistory, s.Hole, s.Unreadable, s.DifferentState); err != nil || s.Applied != position {
					t.Fatalf("%s: at %+v, want %+v: %v", name, s.Applied, position, err)
				}
				if r.target.count() != written || r.target.StateDigest() != warm.target.StateDigest() {
					t.Fatalf("%s: %d documents, want %d", name, r.target.count(), written)
				}
			}
			away = l.away(t)
		})
		if t.Failed() {
			t.Fatal(name)
		}
	}
	warm.sees(t, l)
	if other := freshLog(t, l); true {
		head, err := other.Head(t.Context())
		if err != nil || head != l.head(t) {
			t.Errorf("another publisher sees the head %+v, %v, want %+v", head, err, l.head(t))
		}
	}
}

// TestTheIdOfTheComingEntryIsTaken knows what a publisher is about to write, and
// stores noise with the id of that.
func TestTheIdOfTheComingEntryIsTaken(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	n := newIntruder(t, l)
	head := l.write(t, put("a", "{}"))
	coming := func(c writer.Change, i int, prev changelog.Link) changelog.Entry {
		return changelog.Entry{
			Environment: environment, Epoch: head.Epoch, Revision: head.Revision + uint64(i) + 2, OpID: c.OpID,
			Kind: c.Documents[i].Kind, Key: c.Documents[i].Key, Index: i + 1, Count: len(c.Documents),
			Put: c.Documents[i].Body, Actor: c.Actor, Reason: c.Reason, Time: c.Time, Prev: prev,
		}
	}
	for name, documents := range map[string][]document.Document{
		"one entry": {put("b", "{}")}, "several entries": {put("b", "{}"), put("c", "{}")},
	} {
		head = l.head(t)
		c := change(name, documents...)
		var tx changelog.Transaction
		prev := head.Link()
		for i := range documents {
			e := coming(c, i, prev)
			if i == len(documents)-1 {
				e.State = writer.After(l.basis(t, head), append(tx, changelog.Record{Entry: e})).State().Digest()
			}
			body, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			r := changelog.Record{Entry: e, Digest: changelog.Sum(body)}
			tx, prev = append(tx, r), r.Position().Link()
		}
		taken := withHeaders("Nats-Msg-Id", tx[0].Digest.String())
		if store(t, n.c, taken) != head.Revision+1 {
			t.Fatal("the noise stands elsewhere")
		}
		outcome, err := l.append(t, t.Context(), head, c)
		if err != nil || outcome.State != writer.Committed {
			t.Fatalf("%s: %s, %v", name, outcome.State, err)
		}
		if got := outcome.Position.Digest; got != tx[len(tx)-1].Digest {
			t.Fatalf("%s: the test took the id of another entry", name)
		}
	}
	startFollowing(t, connectSidecar(t, l.server.URL())).sees(t, l)
}
