package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

const ledgerRecords = "ledger.prod.records"

// signedRecord returns a record as a publisher would store it.
func signedRecord(tb testing.TB, signer *changelog.Signer, stream string, sequence uint64, prev changelog.Anchor, op string) *nats.Msg {
	tb.Helper()
	r := changelog.LedgerRecord{Stream: stream, Sequence: sequence, Prev: prev, OpID: op, Body: []byte(`"forged"`)}
	data, err := r.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	signature, err := signer.SignRecord(stream, changelog.Anchor{Sequence: sequence, Digest: changelog.Sum(data)})
	if err != nil {
		tb.Fatal(err)
	}
	msg := nats.NewMsg(ledgerRecords)
	msg.Data = data
	msg.Header.Set(changelog.ProofHeader, string(signature))
	return msg
}

// foreignMessages returns all kinds of what publishers did not append at the next
// place of a ledger, whose newest record is head.
func foreignMessages(tb testing.TB, environment string, head changelog.Anchor, next uint64) map[string]*nats.Msg {
	tb.Helper()
	own, stream := trusttest.Default().Signer(), "LEDGER_"+environment
	plain := func(data string, headers ...string) *nats.Msg {
		msg := nats.NewMsg("")
		msg.Data = []byte(data)
		for i := 0; i < len(headers); i += 2 {
			msg.Header.Add(headers[i], headers[i+1])
		}
		return msg
	}
	right := func() *nats.Msg { return signedRecord(tb, own, stream, next, head, "x") }
	unsigned, twice, elsewhere := right(), right(), right()
	unsigned.Header.Del(changelog.ProofHeader)
	twice.Header.Add(changelog.ProofHeader, twice.Header.Get(changelog.ProofHeader))
	messages := map[string]*nats.Msg{
		"junk":                       plain("\x00\xff{"),
		"nothing":                    plain(""),
		"a stored sequence":          plain("junk", "Nats-Sequence", "1", "Nats-Subject", "ledger.prod.records"),
		"a stored status 404":        plain("junk", "Status", "404"),
		"a stored status 204":        plain("junk", "Status", "204", "Nats-Num-Pending", "0"),
		"a record without a proof":   unsigned,
		"a record with two proofs":   twice,
		"a record of another ledger": signedRecord(tb, own, "LEDGER_other", next, head, "x"),
		"a record of CONTROL":        signedRecord(tb, own, "CONTROL", next, head, "x"),
		"a record of another place":  signedRecord(tb, own, stream, next+7, head, "x"),
		"another installation":       signedRecord(tb, trusttest.New().Signer(), stream, next, head, "x"),
		"the id of the op":           plain("junk", "Nats-Msg-Id", fmt.Sprint("op", next)),
		"another subject":            elsewhere,
		"an unsigned newer version":  plain(`{"v":3}`, changelog.ProofHeader, strings.Repeat("A", 92)),
		"a replayed record":          nil,
	}
	for _, msg := range messages {
		if msg != nil {
			msg.Subject = "ledger." + environment + ".records"
		}
	}
	elsewhere.Subject = "ledger." + environment + ".other"
	return messages
}

func storedAgain(tb testing.TB, c *nats.Conn, stream string, sequence uint64) *nats.Msg {
	tb.Helper()
	stored := Message(tb, c, stream, sequence)
	msg := nats.NewMsg(stored.Subject)
	msg.Data = stored.Data
	msg.Header.Set(changelog.ProofHeader, stored.Header.Get(changelog.ProofHeader))
	return msg
}

func Message(tb testing.TB, c *nats.Conn, stream string, sequence uint64) *nats.RawStreamMsg {
	tb.Helper()
	js := natstest.JetStream(tb, c)
	m, err := js.GetMsg(stream, sequence)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Noise of any kind, at any place, changes nothing but the numbers.
func TestLedgerSkipsNoise(t *testing.T) {
	t.Parallel()
	server := newLog(t)
	kinds := slices.Sorted(maps.Keys(foreignMessages(t, environment, changelog.Anchor{}, 1)))
	for i, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			noisy := fmt.Sprint("noisy", i)
			createLedger(t, server.conn, noisy)
			testNoise(t, server, noisy, kind)
		})
	}
}

func createLedger(t *testing.T, c *flagsync.Conn, name string) {
	t.Helper()
	patiently(t, func(ctx context.Context) error {
		environments, err := writer.OpenEnvironments(ctx, c, 1)
		if err == nil {
			_, err = environments.Create(ctx, name, writer.Order{Actor: "tester"})
		}
		if errors.Is(err, writer.ErrEnvironmentExists) {
			return nil // by an attempt that was not answered
		}
		return err
	})
}

func testNoise(t *testing.T, l *log, environment, kind string) {
	t.Helper()
	client := l.server.Client(t)
	j := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	var want []string
	var count uint64
	next, head := uint64(1), changelog.Anchor{}
	noise := func() {
		msg := foreignMessages(t, environment, head, next)[kind]
		if msg == nil && head.IsZero() {
			return // nothing can be replayed yet
		}
		if msg == nil {
			msg = storedAgain(t, client, "LEDGER_"+environment, head.Sequence)
		}
		if store(t, client, msg) != next {
			t.Fatalf("noise was not stored at %d", next)
		}
		next, count = next+1, count+1
	}
	for i := range 3 {
		body := fmt.Sprint(i)
		op := fmt.Sprint("op", next)
		noise()
		sequence, err := appendSoon(t, j, head.Sequence, op, body)
		if err != nil || sequence != next {
			t.Fatalf("append over noise: %d, %v, want %d", sequence, err, next)
		}
		want, head, next = append(want, body), j.Head(), next+1
	}
	noise()
	noise()
	for what, reader := range map[string]*writer.Ledger{"the writer": j, "another one": openLedger(t, l.conn, writer.LedgerOf(environment), 1)} {
		if diff := cmp.Diff(want, records(t, reader, 0)); diff != "" {
			t.Errorf("%s reads (-want +got):\n%s", what, diff)
		}
		if got := reader.Foreign(); got.Messages != count || reader.Head() != head || got.Last[len(got.Last)-1].Last != next-1 {
			t.Errorf("%s: noise is %s, head %s; want %d, the last at %d, head %s", what, got, reader.Head(), count, next-1, head)
		}
		if r, err := reader.Record(t.Context(), head.Sequence); err != nil || string(r.Body) != "2" {
			t.Errorf("%s has record %+v, %v", what, r, err)
		}
		if r, err := reader.Record(t.Context(), next-1); err == nil {
			t.Errorf("%s takes noise for record %+v", what, r)
		}
	}
}

// appendSoon appends within patience: the server forgets the ids of messages after two minutes.
func appendSoon(t *testing.T, j *writer.Ledger, base uint64, op, body string) (uint64, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return j.Append(ctx, base, op, []byte(body))
}

// A message with the id that the next record will have, which can be computed by one who knows its op-id, takes the place and no more.
func TestLedgerIgnoresAForeignMessageID(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	j := openLedger(t, l.conn, writer.LedgerOf(environment), 1)
	records(t, j, 0)
	coming, err := changelog.LedgerRecord{Stream: "LEDGER_prod", Sequence: 1, OpID: "op", Body: []byte(`1`)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	msg := nats.NewMsg(ledgerRecords)
	msg.Header.Set("Nats-Msg-Id", changelog.Sum(coming).String())
	store(t, l.server.Client(t), msg)
	if sequence, err := appendSoon(t, j, 0, "op", `1`); err != nil || sequence != 2 {
		t.Errorf("appended at %d, %v, want 2", sequence, err)
	}
	if sequence, err := j.Append(t.Context(), 0, "op", []byte(`1`)); err != nil || sequence != 2 {
		t.Errorf("the same again: %d, %v, want 2", sequence, err)
	}
}

// While messages flood the stream, an append succeeds, or says why not and has stored nothing; afterwards all goes on.
func TestLedgerInAFlood(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	client := l.server.Client(t)
	var flood sync.WaitGroup
	flood.Go(func() {
		for ctx.Err() == nil {
			if _, err := client.Request(ledgerRecords, []byte("junk"), patience); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	proxies, through := proxied(t, l.server.URL())
	j := openLedger(t, connect(t, through), writer.LedgerOf(environment), 1)
	var want []string
	refused := 0
	for i, began := 0, time.Now(); i < 12 || refused == 0 && time.Since(began) < patience; i++ { // a busy machine may flood slowly
		if i == 10 { // from here on every place is taken before it can be reached
			proxies[0].Set(faultnet.Faults{ToServer: faultnet.Rule{Delay: 20 * time.Millisecond}})
		}
		body := fmt.Sprint(i)
		within, cancel := context.WithTimeout(t.Context(), patience)
		_, err := j.Append(within, j.Head().Sequence, "op"+body, []byte(body))
		cancel()
		switch {
		case err == nil:
			want = append(want, body)
		case errors.Is(err, writer.ErrForeignMessages):
			refused++
		default:
			t.Errorf("append %d: %v", i, err)
		}
	}
	stop()
	flood.Wait()
	if refused == 0 {
		t.Error("no append was refused")
	}
	if _, err := j.Append(t.Context(), j.Head().Sequence, "last", []byte(`"last"`)); err != nil {
		t.Error(err)
	}
	want = append(want, `"last"`)
	if diff := cmp.Diff(want, records(t, openLedger(t, l.conn, writer.LedgerOf(environment), 1), 0)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// A publisher whose key is not in the keys note, and one without a key, append nothing.
func TestLedgerNeedsAKeyThatCounts(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for what, o := range map[string]flagsync.ConnectOptions{
		"no key":          {URL: l.server.URL()},
		"an unlisted key": {URL: l.server.URL(), Signer: unlistedSigner(t)},
	} {
		j := openLedger(t, connectWith(t, o), writer.LedgerOf(environment), 1)
		if _, err := j.Append(t.Context(), 0, "op", []byte(`1`)); err == nil {
			t.Errorf("%s: the record was appended", what)
		}
		if got := records(t, j, 0); len(got) != 0 {
			t.Errorf("%s: records %v", what, got)
		}
	}
}

func unlistedSigner(tb testing.TB) *changelog.Signer {
	tb.Helper()
	secret, _, err := changelog.GenerateKey(trusttest.Default().Installation)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := changelog.NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
