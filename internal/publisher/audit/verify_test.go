package audit_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

func TestAnHonestHistoryIsWhole(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	lines := p.export()
	for _, every := range []bool{false, true} {
		report, err := audit.Verify(join(lines), p.keys.Trust, audit.Options{EverySignature: every})
		if err != nil {
			t.Fatal(err)
		}
		if want := len(p.control) + len(p.ledger) + len(p.log); report.Records() != want || len(report.Warnings) > 0 || report.Incomplete {
			t.Errorf("%d records, want %d; warnings %q", report.Records(), want, report.Warnings)
		}
	}
}

// place names the record of a line.
func place(t *testing.T, line string) (stream string, sequence uint64) {
	t.Helper()
	var r audit.Record
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatal(err)
	}
	return r.Stream, r.Sequence
}

// names fails unless an export is refused, with a record named as bad if stream is not empty.
func (p *past) names(t *testing.T, what string, lines []string, stream string, sequence uint64) {
	t.Helper()
	_, err := audit.Verify(join(lines), p.keys.Trust, audit.Options{})
	bad, ok := errors.AsType[*audit.BadRecordError](err)
	switch {
	case !ok:
		t.Errorf("%s: %v, want a bad record", what, err)
	case stream != "" && (bad.Stream != stream || bad.Sequence != sequence):
		t.Errorf("%s: it names %s at %d (%v), want %s at %d", what, bad.Stream, bad.Sequence, err, stream, sequence)
	}
}

// A record whose content was changed is the first bad one: whichever byte, of whichever record.
func TestAChangedRecordIsNamed(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	lines := p.export()
	for i := 1; i < len(lines)-1; i++ {
		var r audit.Record
		if err := json.Unmarshal([]byte(lines[i]), &r); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(r.Data); at += 7 {
			changed := r
			data := []byte(r.Data)
			data[at] ^= 1
			changed.Data = string(data)
			line, err := json.Marshal(changed)
			if err != nil {
				continue // no text any more
			}
			tampered := slices.Clone(lines)
			tampered[i] = string(line) + "\n"
			p.names(t, lines[i][:40], tampered, r.Stream, r.Sequence)
		}
	}
}

func TestAMissingRecordIsNoticed(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	lines := p.export()
	for i := 1; i < len(lines)-1; i++ {
		stream, sequence := place(t, lines[i])
		if next, after := "", uint64(0); i+1 < len(lines)-1 {
			if next, after = place(t, lines[i+1]); next == stream {
				p.names(t, "dropped", without(lines, i), stream, after) // the next one continues what is missing
				continue
			}
			_ = sequence
		}
		p.names(t, "the last of a stream dropped", without(lines, i), "", 0)
	}
}

func TestAChangedOrderIsNoticed(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	lines := p.export()
	for i := 1; i < len(lines)-2; i++ {
		swapped := slices.Clone(lines)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		p.names(t, "swapped", swapped, "", 0)
		p.names(t, "repeated", slices.Insert(slices.Clone(lines), i, lines[i]), "", 0)
	}
}

func TestACutExportIsNoticed(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	lines := p.export()
	text := concat(lines)
	for i := range len(lines) {
		p.names(t, "cut at a line", lines[:i], "", 0)
	}
	for at := 0; at < len(text)-1; at += 131 {
		p.names(t, "cut anywhere", []string{text[:at]}, "", 0)
	}
	p.names(t, "something behind the end", append(slices.Clone(lines), lines[1]), "", 0)
}

// The end of a stream that is cut off together with a checkpoint that says so is noticed by what other streams name, and by a checkpoint
// that was kept elsewhere.
func TestARewrittenEndIsNoticed(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	kept, err := p.signer.SignCheckpoint(changelog.Checkpoint{Heads: []changelog.StreamHead{
		{Stream: "FLAGS_" + environment, Epoch: p.at.Epoch, Anchor: changelog.Anchor{Sequence: p.at.Revision, Digest: p.at.Digest}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	whole := p.export()
	if _, err := audit.Verify(join(whole), p.keys.Trust, audit.Options{Checkpoints: kept}); err != nil {
		t.Errorf("the whole history with a checkpoint: %v", err)
	}
	log, ledger := p.log, p.ledger
	p.ledger = ledger[:len(ledger)-4] // the log names a record of it that is gone
	p.names(t, "the ledger is cut", p.export(), "", 0)
	p.ledger, p.log = ledger, log[:len(log)-2] // the ledger says what was applied
	p.names(t, "the log is cut", p.export(), "", 0)
	p.log = log[:len(log)-1] // nothing names it but the checkpoint
	if _, err := audit.Verify(join(p.export()), p.keys.Trust, audit.Options{}); err != nil {
		t.Errorf("a cut that nothing shows: %v", err)
	}
	if _, err := audit.Verify(join(p.export()), p.keys.Trust, audit.Options{Checkpoints: kept}); err == nil {
		t.Error("a checkpoint that was kept does not show that the end is missing")
	}
}

// A header that announces a stream without records behind the log does not keep the end of the log from being verified.
func TestAnEmptyStreamHidesNoEnd(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	p.append("", nil, flag("forged", 1))
	end := &p.log[len(p.log)-1]
	end.Proof = end.Proof[:len(end.Proof)-20] + "AAAAAAAA" + end.Proof[len(end.Proof)-12:]
	var err error
	if p.keys.Trust, err = p.keys.Trust.WithFloor(p.keys.Note.Text); err != nil { // in place of CONTROL, which is taken out
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(p.export(), func(line string) bool { return strings.HasPrefix(line, `{"stream":"CONTROL"`) })
	lines[0] = strings.Replace(lines[0], `["CONTROL","LEDGER_prod","FLAGS_prod"]`, `["LEDGER_prod","FLAGS_prod","CONTROL"]`, 1)
	early, err := p.signer.SignCheckpoint(changelog.Checkpoint{Heads: []changelog.StreamHead{{Stream: "LEDGER_prod", Anchor: p.anchors["LEDGER_prod"]}}})
	if err != nil {
		t.Fatal(err)
	}
	last, err := json.Marshal(map[string]string{"checkpoint": early})
	if err != nil {
		t.Fatal(err)
	}
	lines[len(lines)-1] = string(last) + "\n"
	p.names(t, "an empty stream at the end", lines, "", 0)
	lines[0] = strings.Replace(lines[0], `,"CONTROL"]`, `]`, 1)
	p.names(t, "the end of the log", lines, end.Stream, end.Sequence)
}

// A header that announces a stream twice or one of another environment, or leaves the ledger or the log out, or the ledger behind the log, is
// refused before anything is read.
func TestStreamsAreAnnouncedOnce(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	for _, streams := range []string{
		`"CONTROL","LEDGER_prod","FLAGS_prod","FLAGS_prod"`, `"CONTROL","LEDGER_prod","FLAGS_prod","LEDGER_prod"`, `"CONTROL","LEDGER_prod","FLAGS_prod",""`,
		`"CONTROL","LEDGER_prod","FLAGS_prod","FLAGS_staging"`, `"CONTROL","LEDGER_staging","FLAGS_prod"`, `"FLAGS_prod"`, `"CONTROL","FLAGS_prod"`,
		`"CONTROL","LEDGER_prod"`, `"CONTROL","FLAGS_prod","LEDGER_prod"`, ``,
	} {
		lines := p.export()
		lines[0] = strings.Replace(lines[0], `"CONTROL","LEDGER_prod","FLAGS_prod"`, streams, 1)
		_, err := audit.Verify(join(lines), p.keys.Trust, audit.Options{})
		if bad, ok := errors.AsType[*audit.BadRecordError](err); !ok || bad.Line != 1 {
			t.Errorf("%s: %v, want that line 1 is bad", streams, err)
		}
	}
}

// What no publisher of the installation signed is not believed, however well it fits together.
func TestAnotherInstallationIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	lines := p.export()
	if _, err := audit.Verify(join(lines), trusttest.New().Trust, audit.Options{}); err == nil {
		t.Error("the export of another installation is believed")
	}
	forger := longPast(t) // with keys of its own, under the name of the installation
	forged := strings.ReplaceAll(concat(forger.export()), forger.keys.Installation, p.keys.Installation)
	p.names(t, "forged", []string{forged}, "", 0)
}

// A stolen publisher can append; what it says about approvals must still fit the ledger.
func TestEntriesMustBeWhatWasApproved(t *testing.T) {
	t.Parallel()
	f := func(what string, write func(p *past)) {
		t.Helper()
		p := longPast(t)
		before := p.at.Revision
		write(p)
		_, err := audit.Verify(join(p.export()), p.keys.Trust, audit.Options{})
		bad, ok := errors.AsType[*audit.BadRecordError](err)
		if !ok || strings.HasPrefix(bad.Stream, "FLAGS") && bad.Sequence != before+1 {
			t.Errorf("%s: %v, want that revision %d is bad", what, err, before+1)
		}
	}
	f("a request that was never opened", func(p *past) { p.append("request-9", []string{"approver"}, flag("x", 1)) })
	f("a request that is applied twice", func(p *past) { p.append("request-1", []string{"approver"}, flag("a", 2)) })
	open := func(p *past, author string) *requests.Proposal {
		proposal := &requests.Proposal{Changes: []requests.DocumentChange{{Kind: document.KindFlag, Key: "x", Body: flag("x", 1).Put}}, Author: requests.Author{ID: author}}
		p.event(requests.Event{Type: requests.EventOpened, By: author, Request: "request-3", Proposal: proposal})
		return proposal
	}
	f("a request that was not approved", func(p *past) {
		proposal := open(p, "editor")
		p.event(requests.Event{Type: requests.EventClaimed, Request: "request-3", Hash: proposal.Hash(), Approvers: []string{"approver"}})
	})
	f("its author's own approval", func(p *past) {
		proposal := open(p, "editor")
		p.event(requests.Event{Type: requests.EventApproved, By: "editor", Request: "request-3", Hash: proposal.Hash()})
		p.event(requests.Event{Type: requests.EventClaimed, Request: "request-3", Hash: proposal.Hash(), Approvers: []string{"editor"}})
	})
	claimed := func(p *past) {
		proposal := open(p, "editor")
		p.event(requests.Event{Type: requests.EventApproved, By: "approver", Request: "request-3", Hash: proposal.Hash()})
		p.event(requests.Event{Type: requests.EventClaimed, Request: "request-3", Hash: proposal.Hash(), Approvers: []string{"approver"}})
	}
	f("other documents than were approved", func(p *past) { claimed(p); p.append("request-3", []string{"approver"}, flag("x", 2)) })
	f("more documents than were approved", func(p *past) { claimed(p); p.append("request-3", []string{"approver"}, flag("x", 1), flag("y", 1)) })
	f("other approvers", func(p *past) { claimed(p); p.append("request-3", []string{"approver", "boss"}, flag("x", 1)) })
}

// A publisher that was wrong about the state is named.
func TestAWrongStateIsNamed(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	id := document.ID{Kind: document.KindFlag, Key: "a"}
	p.documents[id] = document.Document{Kind: id.Kind, Key: id.Key, Revision: 99, Body: []byte(`{}`)}
	p.append("", nil, flag("z", 1))
	p.names(t, "a wrong state", p.export(), "FLAGS_"+environment, p.at.Revision)
}

// rotate lets another key sign from now on. Each stream gets the keys note that lists it alone, as publishers do it.
func (p *past) rotate() {
	p.t.Helper()
	secret, public, err := changelog.GenerateKey(p.keys.Installation)
	p.check(err)
	note, err := changelog.NewKeysNote(p.keys.Installation, 2, p.keys.Root, public)
	p.check(err)
	p.signer, err = changelog.NewSigner(secret)
	p.check(err)
	p.keys.Note = note
	body, err := changelog.KeysRecord(note)
	p.check(err)
	p.record("CONTROL", body)
	p.record("LEDGER_"+environment, body)
	document, err := changelog.KeysDocument(note)
	p.check(err)
	p.append("", nil, changelog.Entry{Kind: document.Kind, Key: document.Key, Put: document.Body})
}

// After a rotation the old key signs nothing, and everything before stays proved.
func TestRotation(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	old := p.signer
	p.rotate()
	p.append("", nil, flag("n", 1))
	next := p.signer
	if report, err := audit.Verify(join(p.export()), p.keys.Trust, audit.Options{EverySignature: true}); err != nil || len(report.Warnings) > 0 {
		t.Errorf("after a rotation: %v, %+v", err, report)
	}
	p.signer = old // a thief, or a publisher that missed it
	p.append("", nil, flag("thief", 1))
	stolen := p.at.Revision
	p.signer = next
	p.names(t, "a retired key", p.export(), "FLAGS_"+environment, stolen)
}

// A signature that was damaged, and nothing else, is noticed when every signature is looked at.
func TestADamagedSignature(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	proof := []byte(p.log[3].Proof)
	at := len(proof) - 20
	proof[at] = map[bool]byte{true: 'A', false: 'B'}[proof[at] != 'A']
	p.log[3].Proof = string(proof)
	if _, err := audit.Verify(join(p.export()), p.keys.Trust, audit.Options{}); err != nil {
		t.Errorf("the chain proves the record: %v", err)
	}
	_, err := audit.Verify(join(p.export()), p.keys.Trust, audit.Options{EverySignature: true})
	if bad, ok := errors.AsType[*audit.BadRecordError](err); !ok || bad.Sequence != p.log[3].Sequence {
		t.Errorf("every signature: %v, want that revision %d is bad", err, p.log[3].Sequence)
	}
}

// FuzzVerify reads anything: it never panics, and believes nothing but the honest history.
func FuzzVerify(f *testing.F) {
	p := longPast(f)
	honest := concat(p.export())
	f.Add([]byte(honest))
	f.Add([]byte(""))
	f.Add([]byte(`{"export":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		report, err := audit.Verify(strings.NewReader(string(data)), p.keys.Trust, audit.Options{})
		if err == nil && report.Records() != len(p.control)+len(p.ledger)+len(p.log) {
			t.Errorf("another history was believed: %+v", report)
		}
	})
}
