package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// decisions are what the ledger says about change requests, to be compared with the entries of the log.
type decisions struct {
	requests map[string]*decided
	applied  map[changelog.Position]appliedAt // that the log must have, by the position after the change
	epoch    changelog.Epoch                  // the newest
}

// decided is what was decided about one change request.
type decided struct {
	hash      string             // of the proposal
	author    string             // id
	changes   []changelog.Digest // of the documents that are proposed, nil once they were applied
	approvals []string           // ids of those who have approved exactly this proposal
	claimed   bool
	approvers []string // whose approvals counted
}

type appliedAt struct {
	request  string
	sequence uint64 // of the record of the ledger
}

func newDecisions() *decisions {
	return &decisions{requests: make(map[string]*decided), applied: make(map[changelog.Position]appliedAt)}
}

// sameEpoch returns an epoch in one copy for all that name it.
func (d *decisions) sameEpoch(e changelog.Epoch) changelog.Epoch {
	if e != d.epoch {
		d.epoch = e
	}
	return d.epoch
}

func newDecided(p *requests.Proposal) *decided {
	d := &decided{hash: p.Hash(), author: p.Author.ID}
	for _, c := range p.Changes {
		d.changes = append(d.changes, digestOf(c.Kind, c.Key, c.Body))
	}
	return d
}

// approve notes the newest approval of someone, which counts if it is of this proposal.
func (d *decided) approve(by, hash string) {
	d.approvals = slices.DeleteFunc(d.approvals, func(id string) bool { return id == by })
	if hash == d.hash {
		d.approvals = append(d.approvals, by)
	}
}

// digestOf returns what stands for a document that is proposed, or for its deletion.
func digestOf(kind document.Kind, key string, body []byte) changelog.Digest {
	return changelog.Sum(fmt.Appendf(nil, "%q %q %s", kind, key, body))
}

// take takes a record of the ledger.
func (d *decisions) take(h *ledgerHistory, r changelog.LedgerRecord, line int) error {
	if !strings.HasPrefix(h.stream, "LEDGER_") {
		return nil
	}
	if t := changelog.RecordType(r.Body); t == changelog.RecordKeys || t == changelog.RecordRepaired {
		return nil
	}
	e, err := requests.DecodeEvent(r.Body)
	if err != nil {
		return h.bad(r.Sequence, line, "%v", err)
	}
	switch e.Type {
	case requests.EventOpened, requests.EventRebased:
		if e.Proposal == nil {
			return h.bad(r.Sequence, line, "a change request without a proposal")
		}
		d.requests[e.Request] = newDecided(e.Proposal)
	case requests.EventApproved:
		if known := d.requests[e.Request]; known != nil {
			known.approve(e.By, e.Hash)
		}
	case requests.EventClaimed:
		return d.claim(h, r, line, e)
	case requests.EventApplied:
		if e.Position != nil {
			at := *e.Position
			at.Epoch = d.sameEpoch(at.Epoch)
			d.applied[at] = appliedAt{request: e.Request, sequence: r.Sequence}
		}
	case requests.EventArchived, requests.EventRevived, requests.EventDestroyed, requests.EventAdopted:
		return h.acts.verify(h, e, r.Sequence, line)
	default:
	}
	return nil
}

// claim verifies that the approvals that counted were given, for exactly what is applied, by others than its author.
func (d *decisions) claim(h *ledgerHistory, r changelog.LedgerRecord, line int, e requests.Event) error {
	known := d.requests[e.Request]
	if known == nil {
		d.requests[e.Request] = &decided{claimed: true, approvers: e.Approvers}
		return h.doubt(r.Sequence, line, "change request %s is applied and was never opened", e.Request)
	}
	known.claimed, known.approvers = true, e.Approvers
	if e.Hash != known.hash {
		return h.doubt(r.Sequence, line, "change request %s is applied with another proposal than it has", e.Request)
	}
	for _, approver := range e.Approvers {
		if approver == known.author {
			return h.bad(r.Sequence, line, "change request %s counts the approval of its own author", e.Request)
		}
		if slices.Contains(known.approvals, approver) {
			continue
		}
		if err := h.doubt(r.Sequence, line, "change request %s counts an approval of %s, who has not approved this proposal", e.Request, approver); err != nil {
			return err
		}
	}
	return nil
}

// verify compares a transaction with what was decided about the change request that it applies.
func (d *decisions) verify(h *logHistory, tx changelog.Transaction) error {
	delete(d.applied, tx.Position())
	first := tx[0]
	if first.Request == "" {
		return nil
	}
	err := d.compare(h, tx)
	if err != nil && h.ledger().lostBy(first.Ledger.Sequence) {
		h.question("%s at %d: what was decided about change request %s, which it applies, may be among the lost records of the ledger: %v", h.stream, first.Revision, first.Request, err)
		return nil
	}
	return err
}

// compare compares a transaction with what was decided, as far as the ledger has it.
func (d *decisions) compare(h *logHistory, tx changelog.Transaction) error {
	first := tx[0]
	bad := func(format string, args ...any) error {
		return h.bad(first.Revision, h.pending[first.Revision].line, "it applies change request %s, %s", first.Request, fmt.Sprintf(format, args...))
	}
	known := d.requests[first.Request]
	switch {
	case known == nil || !known.claimed:
		return bad("which the ledger has not let anyone apply")
	case !slices.Equal(first.Approvers, known.approvers):
		return bad("with the approvers %q, the ledger says %q", first.Approvers, known.approvers)
	case len(tx) != len(known.changes):
		return bad("and changes %d documents, %d were approved", len(tx), len(known.changes))
	}
	for i, r := range tx {
		if digestOf(r.Kind, r.Key, r.Put) != known.changes[i] {
			return h.bad(r.Revision, h.pending[r.Revision].line, "it is not what was approved in change request %s", first.Request)
		}
	}
	known.changes = nil // each is applied once
	return nil
}

// finish verifies that the log has everything that the ledger says was applied, but for what the log says it lost.
func (d *decisions) finish(h *logHistory) error {
	for _, position := range slices.SortedFunc(maps.Keys(d.applied), func(a, b changelog.Position) int { return cmp.Compare(a.Revision, b.Revision) }) {
		digest, found, err := h.places.digest(position.Revision)
		if err != nil {
			return err
		}
		if found && digest == position.Digest || h.hasLeft(position) {
			continue
		}
		at := d.applied[position]
		return h.bad(position.Revision, 0, "the ledger says at %d that change request %s was applied here, and the log has something else: it was cut or rewritten", at.sequence, at.request)
	}
	return nil
}
