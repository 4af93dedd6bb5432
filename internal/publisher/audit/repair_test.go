package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// anchorOf returns how others name a record.
func anchorOf(s writer.Stored) changelog.Anchor {
	return changelog.Anchor{Sequence: s.Sequence, Digest: changelog.Sum(s.Data)}
}

// at returns the interval of one record.
func at(sequence uint64) []changelog.Interval {
	return []changelog.Interval{{First: sequence, Last: sequence}}
}

// repair appends repairs to a journal, as many as it takes to pass the record that it lacks.
func (p *past) repair(stream string, r changelog.LedgerRepair) {
	p.t.Helper()
	r.Actor = "admin"
	for place := r.Leaves.Sequence + 1; ; place++ {
		body, err := r.Encode()
		p.check(err)
		p.recordAt(changelog.LedgerRecord{Stream: stream, Sequence: place, OpID: "repair", Body: body})
		r.Leaves, r.Kept, r.Skipped = p.anchors[stream], nil, nil
		if place > r.Lacks.Sequence {
			return
		}
	}
}

const ledgerOfTests = "LEDGER_" + environment

// cutAndRepaired returns a history whose ledger ends with its third record, the claim of request-1, and was repaired then.
func cutAndRepaired(t *testing.T) *past {
	t.Helper()
	p := longPast(t)
	lacks := p.anchors[ledgerOfTests]
	p.ledger = p.ledger[:3]
	p.repair(ledgerOfTests, changelog.LedgerRepair{Leaves: anchorOf(p.ledger[2]), Lacks: lacks})
	return p
}

// What a repair says is lost is a warning: the log refers to it, checkpoints name it, and change requests were decided there. What is
// written afterwards is verified as ever.
func TestARepairExplainsWhatIsLost(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		spoil func(p *past)
		lost  string
	}{
		"a cut end": {func(p *past) {
			lacks := p.anchors[ledgerOfTests]
			p.ledger = p.ledger[:3]
			p.repair(ledgerOfTests, changelog.LedgerRepair{Leaves: anchorOf(p.ledger[2]), Lacks: lacks})
		}, "LEDGER_prod: records 4 to 8 are lost, as the repair at 4 says"},
		"the whole ledger": {func(p *past) {
			p.ledger = nil
			p.repair(ledgerOfTests, changelog.LedgerRepair{Lacks: p.anchors[ledgerOfTests]})
		}, "LEDGER_prod: records 1 to 8 are lost"},
		"CONTROL": {func(p *past) {
			p.control = nil
			p.repair("CONTROL", changelog.LedgerRepair{Lacks: p.anchors["CONTROL"]})
		}, "CONTROL: records 1 to 2 are lost"},
		"a hole": {func(p *past) {
			kept := anchorOf(p.ledger[0])
			p.ledger = slices.Delete(slices.Clone(p.ledger), 1, 2) // the approval of request-1
			p.repair(ledgerOfTests, changelog.LedgerRepair{Leaves: p.anchors[ledgerOfTests], Kept: []changelog.Anchor{kept}, Skipped: at(2)})
		}, "LEDGER_prod: records 2 to 2 are lost, as the repair at 9 says"},
		"the beginning": {func(p *past) {
			p.ledger = slices.Clone(p.ledger[1:]) // request-1 is opened
			p.repair(ledgerOfTests, changelog.LedgerRepair{Leaves: p.anchors[ledgerOfTests], Skipped: at(1)})
		}, "LEDGER_prod: records 1 to 1 are lost"},
	} {
		p := longPast(t)
		kept := p.checkpoint()
		test.spoil(p)
		p.append("", nil, flag("after", 1))
		p.applied("request-3", flag("after", 2))
		for _, every := range []bool{false, true} {
			report, err := audit.Verify(join(p.export()), p.floored(), audit.Options{Checkpoints: kept, EverySignature: every})
			if err != nil || !report.Incomplete || !strings.Contains(strings.Join(report.Warnings, "\n"), test.lost) {
				t.Errorf("%s: %v, warnings %q", what, err, report.Warnings)
			}
		}
	}
}

// A repair explains what it says is lost, and nothing else.
func TestARepairHidesNothingElse(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		tamper func(p *past)
		reason string
	}{
		"a record before it is missing":        {func(p *past) { p.ledger = slices.Delete(p.ledger, 2, 3) }, "LEDGER_prod at 4 (line 6): it continues record 3, which is missing"},
		"a repair is missing":                  {func(p *past) { p.ledger = slices.Delete(p.ledger, 4, 5) }, "LEDGER_prod at 6 (line 8): it continues record 5, which is missing"},
		"a change afterwards was not approved": {func(p *past) { p.append("request-9", []string{"approver"}, flag("x", 1)) }, "which the ledger has not let anyone apply"},
		"a record that was kept is different": {func(p *past) {
			p.anchors[ledgerOfTests] = changelog.Anchor{Sequence: 2, Digest: changelog.Sum([]byte("x"))}
			p.append("", nil, flag("x", 1))
		}, "this entry refers to ledger record 2, but record 2 is different"},
		"a record behind it is different": {func(p *past) {
			p.anchors[ledgerOfTests] = changelog.Anchor{Sequence: 9, Digest: changelog.Sum([]byte("x"))}
			p.append("", nil, flag("x", 1))
		}, "this entry refers to ledger record 9, but record 9 is different"},
		"it is of another key": {func(p *past) {
			signer := p.signer
			p.signer = trusttest.New().Signer()
			p.ledger = p.ledger[:3]
			p.repair(ledgerOfTests, changelog.LedgerRepair{Leaves: anchorOf(p.ledger[2]), Lacks: changelog.Anchor{Sequence: 8, Digest: changelog.Sum([]byte("x"))}})
			p.signer = signer
		}, "LEDGER_prod at 9"},
	} {
		p := cutAndRepaired(t)
		test.tamper(p)
		refuses(t, what, p.export(), p.keys.Trust, audit.Options{}, test.reason)
	}
	for what, test := range map[string]struct {
		missing int // of the ledger: record 2 and those behind it
		keeps   int // records that the repair says it keeps
		skipped []changelog.Interval
	}{
		"a hole of which no repair knows":            {1, 0, nil},
		"a hole of which the repair knows one side":  {1, 1, nil},
		"a hole of which the repair knows the place": {1, 0, at(2)},
		"more than the hole is missing":              {2, 1, at(2)},
	} {
		p := longPast(t)
		r := changelog.LedgerRepair{Leaves: p.anchors[ledgerOfTests], Skipped: test.skipped}
		for _, kept := range p.ledger[:test.keeps] {
			r.Kept = append(r.Kept, anchorOf(kept))
		}
		p.ledger = slices.Delete(slices.Clone(p.ledger), 1, 1+test.missing)
		p.repair(ledgerOfTests, r)
		refuses(t, what, p.export(), p.keys.Trust, audit.Options{}, fmt.Sprintf("LEDGER_prod at %d (line 5): it continues record %d, which is missing", test.missing+2, test.missing+1))
	}
}
