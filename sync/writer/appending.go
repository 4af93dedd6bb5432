package writer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// maxEncodings is how often a change is encoded for another place because noise
// took the one before.
const maxEncodings = 16

// appending is one transaction on its way into the log.
type appending struct {
	log     *Log
	stream  string
	basis   Basis
	after   uint64            // sequence behind which the change belongs, that of basis or more
	entries []changelog.Entry // not placed yet

	expected  uint64                // sequence that the stream must end with
	records   changelog.Transaction // as they will stand in the log behind that
	bodies    [][]byte              // the bytes of the records
	encodings int
	id        string // behind the digests in the ids of messages; "" until an id was taken
	sent      bool   // something may have reached a server
}

// newAppend prepares entries to follow basis, behind a sequence at least. It
// refuses what breaks a limit.
func (l *Log) newAppend(basis Basis, after uint64, entries []changelog.Entry) (*appending, error) {
	if len(entries) == 0 || len(entries) > changelog.MaxEntries {
		return nil, fmt.Errorf("a transaction of %d entries: 1 to %d are allowed, split it into several changes",
			len(entries), changelog.MaxEntries)
	}
	if l.conn.Signer() == nil || !l.conn.Keyring().Signs(l.conn.Signer().ID()) {
		return nil, ErrKeyRetired
	}
	after = max(after, basis.Position().Revision)
	a := &appending{log: l, stream: jetstream.FlagsStream(l.environment), basis: basis, after: after, entries: entries}
	return a, a.encode(after)
}

func (a *appending) base() changelog.Position { return a.basis.Position() }

// encode places the entries behind a sequence, chains and signs them.
func (a *appending) encode(expected uint64) error {
	a.expected, a.records, a.bodies = expected, nil, nil
	a.encodings++
	ledger, control := a.log.anchors()
	state, prev := newOverlay(a.basis), a.base().Link()
	for i, e := range a.entries {
		e.Environment, e.Revision, e.Prev = a.log.environment, expected+uint64(i)+1, prev
		e.Ledger, e.Control = ledger, control
		state.apply(e)
		if e.Index == e.Count {
			e.State = state.edit.State().Digest()
		}
		if err := a.add(e); err != nil {
			return err
		}
		prev = a.records[i].Position().Link()
	}
	return a.sign()
}

func (a *appending) add(e changelog.Entry) error {
	body, err := e.Encode()
	if err != nil {
		return err
	}
	r, err := changelog.DecodeRecord(e.Revision, body)
	if err != nil {
		return err
	}
	if !bytes.Equal(r.Put, e.Put) { // the state would be signed over other bytes than the log has
		return fmt.Errorf("entry %s: its body is not compact JSON", e.ID())
	}
	a.records, a.bodies = append(a.records, r), append(a.bodies, body)
	return nil
}

// signedTogether is how many records are signed one after the other, at least: each
// takes some 30 us, and a goroutine for fewer would not pay.
const signedTogether = 32

// sign signs the records. Those of a large change are divided between the
// processors, because nothing else of it takes as long.
func (a *appending) sign() error {
	each := max(signedTogether, (len(a.records)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	if len(a.records) <= each {
		return a.signAll(a.records)
	}
	var signing sync.WaitGroup
	errs := make([]error, (len(a.records)+each-1)/each)
	for i := range errs {
		signing.Go(func() { errs[i] = a.signAll(a.records[i*each : min((i+1)*each, len(a.records))]) })
	}
	signing.Wait()
	return errors.Join(errs...)
}

func (a *appending) signAll(records []changelog.Record) error {
	for i := range records {
		head, err := a.log.conn.Signer().SignHead(a.log.environment, records[i].Head())
		if err != nil {
			return err
		}
		a.log.conn.Keyring().RememberHead(a.log.environment, head)
		records[i].Signature = head.Signature
	}
	return nil
}

func (a *appending) opID() string { return a.entries[0].OpID }

func (a *appending) last() changelog.Record { return a.records[len(a.records)-1] }

// message returns the message of one record, without what makes it part of a
// batch. Its id is its digest: one that can be guessed could be used by others
// before, and the server would take ours for a duplicate. If that happens all the
// same, another id is used; that the stream must end with what was expected is
// enough for a change to be written once.
func (a *appending) message(i int) jetstream.Outgoing {
	r := a.records[i]
	m := jetstream.NewOutgoing(jetstream.FlagsSubject(a.log.environment)+"."+changelog.Subject(r.ID()), a.bodies[i])
	m.SetProof(r.Head().ProofText())
	m.SetID(r.Digest.String() + a.id)
	if i == 0 { // a batch takes it on its first member only
		m.ExpectLast(a.expected)
	}
	return m
}

// send publishes the change once: a single entry plainly, several as one atomic
// batch.
func (a *appending) send(ctx context.Context) (jetstream.Ack, error) {
	if !a.log.conn.Connected() {
		return jetstream.Ack{}, jetstream.ErrNoConnection
	}
	if err := a.log.conn.StorageError(); err != nil {
		return jetstream.Ack{}, err
	}
	a.sent = true
	messages := make([]jetstream.Outgoing, len(a.records))
	for i := range messages {
		messages[i] = a.message(i)
	}
	return a.log.conn.PublishAll(ctx, messages)
}
