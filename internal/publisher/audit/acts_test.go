package audit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// archive writes that prod was archived without approvals by admin, into CONTROL and the ledger, and returns the record of CONTROL.
func (p *past) archive(change func(*requests.Event)) changelog.Anchor {
	p.t.Helper()
	p.record("CONTROL", []byte(`{"type":"environment.archived","name":"prod","actor":"admin","time":"2030-01-01T00:00:00Z","reason":"it leaks","breakGlass":true}`))
	record := p.anchors["CONTROL"]
	e := requests.Event{Type: requests.EventArchived, By: "admin", Text: "it leaks", BreakGlass: true, Control: record}
	if change != nil {
		change(&e)
	}
	p.event(e)
	return record
}

func (p *past) review(by string, sequence uint64) {
	p.t.Helper()
	p.record("CONTROL", fmt.Appendf(nil, `{"type":"control.reviewed","time":"2030-01-02T00:00:00Z","actor":%q,"reviews":%d}`, by, sequence))
}

func TestAdministrationIsVerified(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	record := p.archive(nil)
	p.review("approver", record.Sequence)
	p.record("CONTROL", []byte(`{"type":"policy.changed","time":"2030-01-02T00:00:00Z","digest":"`+strings.Repeat("ab", 32)+`","publisher":"host","cause":"start"}`))
	p.record("CONTROL", []byte(`{"type":"of.a.newer.publisher","actor":7}`))
	if report, err := audit.Verify(join(p.export()), p.keys.Trust, audit.Options{WithControl: true}); err != nil || len(report.Warnings) > 0 {
		t.Errorf("%v, warnings %q", err, report.Warnings)
	}
}

// What a ledger says of administration must be what CONTROL says, and a review is by another person and of what waits for one.
func TestForgedAdministrationIsNoticed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		forge func(p *past)
		want  string
	}{
		"another person":         {func(p *past) { p.archive(func(e *requests.Event) { e.By = "another" }) }, "does not say what record 3 of CONTROL says"},
		"another reason":         {func(p *past) { p.archive(func(e *requests.Event) { e.Text = "it is old" }) }, "does not say what record 3 of CONTROL says"},
		"no broken glass":        {func(p *past) { p.archive(func(e *requests.Event) { e.BreakGlass = false }) }, "does not say what record 3 of CONTROL says"},
		"another act":            {func(p *past) { p.archive(func(e *requests.Event) { e.Type = requests.EventAdopted }) }, "does not say what record 3 of CONTROL says"},
		"another record":         {func(p *past) { p.archive(func(e *requests.Event) { e.Control.Digest[0] ^= 1 }) }, "refers to record 3 of CONTROL, which is missing or different"},
		"no record":              {func(p *past) { p.archive(func(e *requests.Event) { e.Control.Sequence = 99 }) }, "refers to record 99 of CONTROL, which is missing or different"},
		"reviewed by its author": {func(p *past) { p.review("admin", p.archive(nil).Sequence) }, "its own author"},
		"reviewed without need":  {func(p *past) { p.review("approver", 2) }, "no review to wait for"},
		"reviewed twice": {func(p *past) {
			record := p.archive(nil)
			p.review("approver", record.Sequence)
			p.review("other", record.Sequence)
		}, "no review to wait for"},
		"unreadable": {func(p *past) { p.record("CONTROL", []byte(`{"type":"policy.changed","digest":"short"}`)) }, "CONTROL at 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := longPast(t)
			c.forge(p)
			refuses(t, name, p.export(), p.keys.Trust, audit.Options{}, c.want)
		})
	}
}
