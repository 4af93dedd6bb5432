package audit_test

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

const environment = "prod"

// past is the history of an environment that tests write and export.
type past struct {
	t       testing.TB
	keys    trusttest.Keys
	signer  *changelog.Signer
	control []writer.Stored
	ledger  []writer.Stored
	log     []writer.Stored

	anchors   map[string]changelog.Anchor
	at        changelog.Position
	documents map[document.ID]document.Document
}

func newPast(t testing.TB) *past {
	t.Helper()
	p := &past{
		t: t, keys: trusttest.New(), anchors: make(map[string]changelog.Anchor), documents: make(map[document.ID]document.Document),
		at: changelog.Position{Epoch: changelog.NewEpoch(time.Unix(1000, 0), "")},
	}
	p.signer = p.keys.Signer()
	p.begin()
	return p
}

// begin writes what each history begins with.
func (p *past) begin() {
	p.t.Helper()
	note, err := changelog.KeysRecord(p.keys.Note)
	p.check(err)
	p.record("CONTROL", note)
	p.record("CONTROL", []byte(`{"type":"environment.created","name":"prod"}`))
	keys, err := changelog.KeysDocument(p.keys.Note)
	p.check(err)
	p.append("", nil,
		changelog.Entry{Kind: document.KindEpoch, Key: document.EpochKey},
		changelog.Entry{Kind: keys.Kind, Key: keys.Key, Put: keys.Body})
}

func (p *past) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// record appends a record to a journal.
func (p *past) record(stream string, body []byte) {
	p.t.Helper()
	before := p.anchors[stream]
	p.recordAt(changelog.LedgerRecord{Stream: stream, Sequence: before.Sequence + 1, Prev: before, OpID: fmt.Sprint("op-", before.Sequence), Body: body})
}

func (p *past) recordAt(r changelog.LedgerRecord) {
	p.t.Helper()
	stream := r.Stream
	data, err := r.Encode()
	p.check(err)
	anchor := changelog.Anchor{Sequence: r.Sequence, Digest: changelog.Sum(data)}
	signature, err := p.signer.SignRecord(stream, anchor)
	p.check(err)
	p.anchors[stream] = anchor
	stored := writer.Stored{Stream: stream, Sequence: r.Sequence, Proof: string(signature), Data: data}
	if stream == "CONTROL" {
		p.control = append(p.control, stored)
	} else {
		p.ledger = append(p.ledger, stored)
	}
}

func (p *past) event(e requests.Event) {
	p.t.Helper()
	e.At = time.Unix(2000, 0).UTC()
	data, err := e.Encode()
	p.check(err)
	p.record("LEDGER_"+environment, data)
}

// append appends a transaction.
func (p *past) append(request string, approvers []string, entries ...changelog.Entry) {
	p.t.Helper()
	for i, e := range entries {
		e.Environment, e.Epoch, e.Revision, e.Prev = environment, p.at.Epoch, p.at.Revision+1, p.at.Link()
		e.OpID, e.Index, e.Count, e.Time = fmt.Sprint("op-", p.at.Revision+1-uint64(i)), i+1, len(entries), time.Unix(3000, 0).UTC()
		e.Actor, e.Request, e.Approvers = "editor", request, approvers
		e.Control, e.Ledger = p.anchors["CONTROL"], p.anchors["LEDGER_"+environment]
		switch {
		case e.Put != nil:
			p.documents[e.ID()] = document.Document{Kind: e.Kind, Key: e.Key, Revision: e.Revision, Body: e.Put}
		case e.Delete:
			delete(p.documents, e.ID())
		}
		if e.Index == e.Count {
			e.State = p.state()
		}
		data, err := e.Encode()
		p.check(err)
		r, err := changelog.DecodeRecord(e.Revision, data)
		p.check(err)
		head, err := p.signer.SignHead(environment, r.Head())
		p.check(err)
		p.at = head.Position
		p.log = append(p.log, writer.Stored{
			Stream: "FLAGS_" + environment, Sequence: e.Revision, Subject: changelog.Subject(e.ID()), Proof: head.ProofText(), Data: data,
		})
	}
}

func (p *past) state() changelog.Digest {
	state := changelog.State{}.Edit()
	for _, d := range p.documents {
		state.Add(d)
	}
	return state.State().Digest()
}

func flag(key string, n int) changelog.Entry {
	return changelog.Entry{Kind: document.KindFlag, Key: key, Put: fmt.Appendf(nil, `{"variants":{"a":%d},"state":"ENABLED"}`, n)}
}

// applied writes a change request that editor opens, approver approves, and that is applied.
func (p *past) applied(id string, entry changelog.Entry) {
	p.t.Helper()
	proposal := &requests.Proposal{
		Changes: []requests.DocumentChange{{Kind: entry.Kind, Key: entry.Key, Body: entry.Put}}, Epoch: p.at.Epoch,
		Expires: time.Unix(9000, 0).UTC(), Author: requests.Author{ID: "editor"},
	}
	p.event(requests.Event{Type: requests.EventOpened, By: "editor", Request: id, Proposal: proposal})
	p.event(requests.Event{Type: requests.EventApproved, By: "approver", Request: id, Hash: proposal.Hash()})
	at := p.at
	p.event(requests.Event{Type: requests.EventClaimed, By: "editor", Request: id, Hash: proposal.Hash(), Position: &at, Approvers: []string{"approver"}})
	p.append(id, []string{"approver"}, entry)
	after := p.at
	p.event(requests.Event{Type: requests.EventApplied, Request: id, Position: &after})
}

// longPast is a history with something of everything.
func longPast(t testing.TB) *past {
	t.Helper()
	p := newPast(t)
	p.append("", nil, flag("a", 1), flag("b", 1))
	p.applied("request-1", flag("a", 2))
	p.append("", nil, changelog.Entry{Kind: document.KindFlag, Key: "b", Delete: true})
	p.append("", nil, flag("c", 1), flag("d", 1), flag("e", 1))
	p.applied("request-2", flag("c", 2))
	p.append("", nil, flag("d", 2))
	return p
}

func stored(records []writer.Stored) iter.Seq2[writer.Stored, error] {
	return func(yield func(writer.Stored, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// export returns the lines of an export.
func (p *past) export() []string {
	p.t.Helper()
	var out bytes.Buffer
	p.check(audit.Export(p.t.Context(), &out, audit.Source{Environment: environment, Signer: p.signer, Streams: []audit.Stream{
		{Name: "CONTROL", Records: stored(p.control)},
		{Name: "LEDGER_" + environment, Records: stored(p.ledger)},
		{Name: "FLAGS_" + environment, Records: stored(p.log)},
	}}))
	var lines []string
	for line := range bytes.Lines(out.Bytes()) {
		lines = append(lines, string(line))
	}
	return lines
}

func join(lines []string) *bytes.Buffer { return bytes.NewBufferString(concat(lines)) }

func concat(lines []string) string {
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l)
	}
	return b.String()
}

func without(lines []string, i int) []string { return slices.Delete(slices.Clone(lines), i, i+1) }
