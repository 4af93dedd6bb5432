package audit

import (
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// acts are what CONTROL says was done: what is to be reviewed, and what ledgers must agree with.
type acts struct {
	open map[uint64]string     // who has done what went without approvals and was not reviewed yet, by sequence
	told map[uint64]access.Act // about environments, by sequence
}

func newActs() *acts {
	return &acts{open: make(map[uint64]string), told: make(map[uint64]access.Act)}
}

// take takes a record of CONTROL.
func (a *acts) take(h *ledgerHistory, r changelog.LedgerRecord, line int) error {
	if h.stream != writer.ControlLedger().Stream() {
		return nil
	}
	act, ok, err := access.DecodeAct(writer.Record{Sequence: r.Sequence, Body: r.Body})
	if err != nil {
		return h.bad(r.Sequence, line, "%v", err)
	}
	if !ok {
		return nil
	}
	if act.Type == access.ActReviewed {
		return a.review(h, act, line)
	}
	if act.BreakGlass {
		a.open[act.Sequence] = act.Actor
	}
	if act.Environment != "" {
		a.told[act.Sequence] = act
	}
	return nil
}

// review verifies that something was to be reviewed, by another person than has done it. What a repair lost may have been.
func (a *acts) review(h *ledgerHistory, act access.Act, line int) error {
	author, open := a.open[act.Reviews]
	delete(a.open, act.Reviews)
	switch {
	case !open && h.lostBy(act.Reviews):
		return nil
	case !open:
		return h.doubt(act.Sequence, line, "it reviews record %d, which had no review to wait for", act.Reviews)
	case author == act.Actor:
		return h.bad(act.Sequence, line, "it reviews record %d, which its own author made", act.Reviews)
	}
	return nil
}

// verify compares what a ledger says was done to the environment with CONTROL, if the export has that. What CONTROL lost is not compared.
func (a *acts) verify(h *ledgerHistory, e requests.Event, sequence uint64, line int) error {
	records := h.journals[writer.ControlLedger().Stream()]
	if records == nil || records.lacks(e.Control) {
		return nil
	}
	digest, found, err := records.places.digest(e.Control.Sequence)
	if err != nil {
		return err
	}
	act := a.told[e.Control.Sequence]
	switch {
	case !found || digest != e.Control.Digest:
		return h.bad(sequence, line, "it refers to record %d of CONTROL, which is missing or different", e.Control.Sequence)
	case act.Type != string(e.Type), act.Environment != h.header.Environment, act.Actor != e.By, act.BreakGlass != e.BreakGlass, act.Reason != e.Text:
		return h.bad(sequence, line, "it does not say what record %d of CONTROL says", e.Control.Sequence)
	}
	return nil
}
