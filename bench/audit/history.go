package main

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

const (
	environment = "bench"
	flags       = 10_000
	// A round is a change request with its four records in the ledger, the entry that it became, and three entries beside it.
	recordsPerRound = 8
)

var (
	ledgerStream = writer.LedgerOf(environment).Stream()
	logStream    = "FLAGS_" + environment
)

// installation are the keys that sign the history.
type installation struct {
	signer *changelog.Signer
	note   changelog.KeysNote
	trust  string // text of the trust file
}

func newInstallation() (installation, error) {
	name := changelog.NewInstallation()
	root, rootPublic, err := changelog.GenerateKey(name)
	if err != nil {
		return installation{}, err
	}
	secret, public, err := changelog.GenerateKey(name)
	if err != nil {
		return installation{}, err
	}
	signer, err := changelog.NewSigner(secret)
	if err != nil {
		return installation{}, err
	}
	note, err := changelog.NewKeysNote(name, 1, root, public)
	return installation{signer, note, rootPublic + "\n"}, err
}

// history makes the same history each time: of a log and a ledger that name each other. Only the records of one stream are signed and
// yielded, so that nothing of it is kept but the documents.
type history struct {
	installation

	rounds int
	epoch  changelog.Epoch

	wanted string // stream
	yield  func(writer.Stored, error) bool

	ledger    changelog.Anchor
	at        changelog.Position
	documents map[document.ID]document.Document
	state     changelog.State
}

// errEnough ends a history that is not wanted any longer.
var errEnough = errors.New("enough")

// stream returns the records of a stream.
func stream(i installation, epoch changelog.Epoch, rounds int, name string) iter.Seq2[writer.Stored, error] {
	return func(yield func(writer.Stored, error) bool) {
		h := history{
			installation: i, rounds: rounds, epoch: epoch, wanted: name, yield: yield,
			at: changelog.Position{Epoch: epoch}, documents: make(map[document.ID]document.Document),
		}
		if err := h.write(); err != nil && !errors.Is(err, errEnough) {
			yield(writer.Stored{}, err)
		}
	}
}

func (h *history) write() error {
	keys, err := changelog.KeysDocument(h.note)
	if err != nil {
		return err
	}
	if err := h.begin(keys); err != nil {
		return err
	}
	for round := range h.rounds {
		if err := h.round(round); err != nil {
			return err
		}
	}
	return nil
}

// begin writes the keys note into the ledger, and the first transaction of the log.
func (h *history) begin(keys document.Document) error {
	note, err := changelog.KeysRecord(h.note)
	if err == nil {
		err = h.record(note)
	}
	if err != nil {
		return err
	}
	if err := h.entry(changelog.Entry{Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 2}); err != nil {
		return err
	}
	return h.entry(changelog.Entry{Kind: keys.Kind, Key: keys.Key, Put: keys.Body, Index: 2, Count: 2})
}

func (h *history) round(round int) error {
	changed := setFlag(4*round, "requested")
	request := fmt.Sprint("request-", round)
	proposal := &requests.Proposal{
		Changes: []requests.DocumentChange{{Kind: changed.Kind, Key: changed.Key, Body: changed.Put}}, Epoch: h.epoch,
		Expires: time.Unix(9000, 0).UTC(), Author: requests.Author{ID: "editor"},
	}
	hash, at := proposal.Hash(), h.at
	err := errors.Join(
		h.event(requests.Event{Type: requests.EventOpened, By: "editor", Request: request, Proposal: proposal}),
		h.event(requests.Event{Type: requests.EventApproved, By: "approver", Request: request, Hash: hash}),
		h.event(requests.Event{Type: requests.EventClaimed, By: "editor", Request: request, Hash: hash, Position: &at, Approvers: []string{"approver"}}),
	)
	if err != nil {
		return err
	}
	changed.Request, changed.Approvers = request, []string{"approver"}
	if err := h.entry(changed); err != nil {
		return err
	}
	after := h.at
	if err := h.event(requests.Event{Type: requests.EventApplied, Request: request, Position: &after}); err != nil {
		return err
	}
	for i := range 3 {
		if err := h.entry(setFlag(4*round+1+i, "changed")); err != nil {
			return err
		}
	}
	return nil
}

// setFlag is an entry that writes one of the flags.
func setFlag(n int, how string) changelog.Entry {
	return changelog.Entry{
		Kind: document.KindFlag, Key: fmt.Sprint("flag-", n%flags), Index: 1, Count: 1,
		Put: fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"in":[{"var":"country"},["DE","AT","CH"]]},"on","off"]},"metadata":{"owner":"team-%d","how":%q,"n":%d}}`,
			n%40, how, n),
	}
}

func (h *history) event(e requests.Event) error {
	e.At = time.Unix(2000, 0).UTC()
	body, err := e.Encode()
	if err != nil {
		return err
	}
	return h.record(body)
}

// record appends to the ledger.
func (h *history) record(body []byte) error {
	r := changelog.LedgerRecord{Stream: ledgerStream, Sequence: h.ledger.Sequence + 1, Prev: h.ledger, OpID: fmt.Sprint("op-", h.ledger.Sequence), Body: body}
	data, err := r.Encode()
	if err != nil {
		return err
	}
	h.ledger = changelog.Anchor{Sequence: r.Sequence, Digest: changelog.Sum(data)}
	if h.wanted != ledgerStream {
		return nil
	}
	signature, err := h.signer.SignRecord(ledgerStream, h.ledger)
	if err != nil {
		return err
	}
	return h.give(writer.Stored{Stream: ledgerStream, Sequence: r.Sequence, Proof: string(signature), Data: data})
}

func (h *history) entry(e changelog.Entry) error {
	e.Environment, e.Epoch, e.Revision, e.Prev = environment, h.epoch, h.at.Revision+1, h.at.Link()
	e.OpID, e.Time, e.Actor, e.Ledger = fmt.Sprint("op-", e.Revision-uint64(e.Index)), time.Unix(3000, 0).UTC(), "editor", h.ledger
	edit := h.state.Edit()
	if before, ok := h.documents[e.ID()]; ok {
		edit.Remove(before)
	}
	if e.Put != nil {
		d := document.Document{Kind: e.Kind, Key: e.Key, Revision: e.Revision, Body: e.Put}
		edit.Add(d)
		h.documents[e.ID()] = d
	}
	h.state = edit.State()
	if e.Index == e.Count {
		e.State = h.state.Digest()
	}
	data, err := e.Encode()
	if err != nil {
		return err
	}
	head := changelog.Head{Position: changelog.Position{Epoch: e.Epoch, Revision: e.Revision, Digest: changelog.Sum(data)}, State: e.State}
	h.at = head.Position
	if h.wanted != logStream {
		return nil
	}
	if head, err = h.signer.SignHead(environment, head); err != nil {
		return err
	}
	return h.give(writer.Stored{Stream: logStream, Sequence: e.Revision, Subject: changelog.Subject(e.ID()), Proof: head.ProofText(), Data: data})
}

func (h *history) give(s writer.Stored) error {
	if !h.yield(s, nil) {
		return errEnough
	}
	return nil
}
