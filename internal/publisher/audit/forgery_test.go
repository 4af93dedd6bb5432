package audit_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/sync/changelog"
)

// rewritten returns another history of the same installation, with an epoch of its own, which fits together.
func (p *past) rewritten(epoch changelog.Epoch) *past {
	p.t.Helper()
	other := &past{
		t: p.t, keys: p.keys, signer: p.signer, anchors: make(map[string]changelog.Anchor), documents: make(map[document.ID]document.Document),
		at: changelog.Position{Epoch: epoch},
	}
	other.begin()
	other.append("", []string{"the-boss"}, flag("everything-forged", 1))
	return other
}

// checkpoint returns a checkpoint that names the newest records of all streams.
func (p *past) checkpoint() string {
	p.t.Helper()
	heads := []changelog.StreamHead{{Stream: "FLAGS_" + environment, Epoch: p.at.Epoch, Anchor: changelog.Anchor{Sequence: p.at.Revision, Digest: p.at.Digest}}}
	for stream, anchor := range p.anchors {
		heads = append(heads, changelog.StreamHead{Stream: stream, Anchor: anchor})
	}
	signed, err := p.signer.SignCheckpoint(changelog.Checkpoint{Time: time.Unix(1, 0), Heads: heads})
	p.check(err)
	return signed + "\n"
}

// floored returns the trust file with the newest keys note.
func (p *past) floored() changelog.Trust {
	p.t.Helper()
	trust, err := p.keys.Trust.WithFloor(p.keys.Note.Text)
	p.check(err)
	return trust
}

// resign replaces the checkpoint of an export by one of another signer.
func (p *past) resign(lines []string, signer *changelog.Signer) []string {
	p.t.Helper()
	before := p.signer
	p.signer = signer
	other := p.export()
	p.signer = before
	return append(slices.Clone(lines[:len(lines)-1]), other[len(other)-1])
}

// refuses fails unless an export is refused for a reason.
func refuses(t *testing.T, what string, lines []string, trust changelog.Trust, o audit.Options, reason string) {
	t.Helper()
	report, err := audit.Verify(join(lines), trust, o)
	if _, bad := errors.AsType[*audit.BadRecordError](err); !bad || !strings.Contains(err.Error(), reason) {
		t.Errorf("%s: %v, warnings %q, want a bad record and %q", what, err, report.Warnings, reason)
	}
}

// A key that was revoked proves no history by itself: not a whole one of the thief, and neither the end of a stream nor that of an export.
func TestARevokedKeyProvesNoHistory(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	stolen, before := p.signer, p.keys.Note
	p.rotate()
	revoked := p.floored()
	if report, err := audit.Verify(join(p.export()), revoked, audit.Options{}); err != nil || len(report.Warnings) > 0 {
		t.Errorf("what was signed before: %v, warnings %q", err, report.Warnings)
	}
	thief := *p
	thief.signer, thief.keys.Note = stolen, before
	forged := thief.rewritten(changelog.NewEpoch(time.Now(), ""))
	const unlisted = "version 2, does not list that key"
	refuses(t, "a whole history", forged.export(), revoked, audit.Options{}, "CONTROL at 2 (line 3): key "+changelog.Key{ID: stolen.ID()}.String()+" signed it")
	withoutControl := slices.DeleteFunc(forged.export(), func(line string) bool { return strings.HasPrefix(line, `{"stream":"CONTROL"`) })
	withoutControl[0] = strings.Replace(withoutControl[0], `"CONTROL",`, "", 1)
	refuses(t, "a whole history without CONTROL", withoutControl, revoked, audit.Options{}, unlisted)
	refuses(t, "the checkpoint of the export", p.resign(p.export(), stolen), revoked, audit.Options{}, "the checkpoint of the export")
	ledger := *p
	ledger.ledger, ledger.anchors, ledger.signer = slices.Clone(p.ledger), map[string]changelog.Anchor{"LEDGER_prod": p.anchors["LEDGER_prod"]}, stolen
	ledger.record("LEDGER_prod", []byte(`{"v":1,"type":"settings.risk","at":"2026-01-01T00:00:00Z"}`))
	refuses(t, "the end of the ledger", ledger.resign(ledger.export(), p.signer), revoked, audit.Options{}, unlisted)
}

// A history that was rewritten with the key of the publisher is contradicted by a checkpoint that was kept, also where it has another epoch.
func TestCheckpointsContradictAnotherEpoch(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	kept := p.checkpoint()
	later := changelog.NewEpoch(time.Now(), p.at.Epoch)
	forged := p.rewritten(later)
	if _, err := audit.Verify(join(forged.export()), p.keys.Trust, audit.Options{}); err != nil {
		t.Errorf("without a checkpoint it fits together: %v", err)
	}
	refuses(t, "a rewritten history", forged.export(), p.keys.Trust, audit.Options{Checkpoints: kept}, "no entry of the log says that this epoch was left")
	forged.control, forged.ledger = p.control, p.ledger
	refuses(t, "a rewritten log", forged.export(), p.keys.Trust, audit.Options{}, "the ledger says at")

	recreated := func(leaves changelog.Position) *past {
		r := *p
		r.documents, r.log, r.at = make(map[document.ID]document.Document), nil, changelog.Position{Epoch: later}
		keys, err := changelog.KeysDocument(p.keys.Note)
		p.check(err)
		r.append("", nil,
			changelog.Entry{Kind: document.KindEpoch, Key: document.EpochKey, Complete: 2, Leaves: leaves},
			changelog.Entry{Kind: keys.Kind, Key: keys.Key, Put: keys.Body}, flag("a", 2))
		return &r
	}
	report, err := audit.Verify(join(recreated(p.at).export()), p.keys.Trust, audit.Options{Checkpoints: kept})
	if err != nil || !report.Incomplete || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "lost and recreated") {
		t.Errorf("a log that was recreated: %v, warnings %q", err, report.Warnings)
	}
	early, other := p.at, p.at
	early.Revision--
	other.Digest[0]++
	for what, leaves := range map[string]changelog.Position{"of nothing": {}, "that leaves an earlier revision": early, "that leaves another entry": other} {
		refuses(t, "a renewal "+what, recreated(leaves).export(), p.keys.Trust, audit.Options{Checkpoints: kept}, "FLAGS_prod")
	}
}

// What a checkpoint says about CONTROL counts when CONTROL is asked for, and then it must be there.
func TestControlThatIsMissingIsNoticed(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	lines := slices.DeleteFunc(p.export(), func(line string) bool { return strings.HasPrefix(line, `{"stream":"CONTROL"`) })
	lines[0] = strings.Replace(lines[0], `"CONTROL",`, "", 1)
	if report, err := audit.Verify(join(lines), p.floored(), audit.Options{Checkpoints: p.checkpoint()}); err != nil || len(report.Warnings) > 0 {
		t.Errorf("without CONTROL: %v, warnings %q", err, report.Warnings)
	}
	refuses(t, "without CONTROL", lines, p.floored(), audit.Options{WithControl: true}, "it does not announce CONTROL")
}

// The history of another environment is not taken for the one that was asked for.
func TestAnExportOfAnotherEnvironmentIsRefused(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	if _, err := audit.Verify(join(p.export()), p.keys.Trust, audit.Options{Environment: environment}); err != nil {
		t.Error(err)
	}
	refuses(t, "staging", p.export(), p.keys.Trust, audit.Options{Environment: "staging"}, `line 1: it is of environment "prod", and the history of "staging" was asked for`)
}

// The changes that an export shows beside its records are compared with the documents.
func TestForgedChangesAreNoticed(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	p.append("", nil, changelog.Entry{Kind: document.KindFlag, Key: "s", Put: []byte(`{"variants":{"\u00e9":null,"b":[1,2.50,"</script>"]},"state":"ENABLED"}`)})
	p.append("", nil, changelog.Entry{Kind: document.KindFlag, Key: "s", Put: []byte(`{"variants":{"\u00e9":"\u00fc","b":[1,1e2,null]},"state":"ENABLED"}`)})
	lines := p.export()
	if _, err := audit.Verify(join(lines), p.keys.Trust, audit.Options{}); err != nil {
		t.Fatalf("the true changes: %v", err)
	}
	for i := 1; i < len(lines)-1; i++ {
		var r audit.Record
		p.check(json.Unmarshal([]byte(lines[i]), &r))
		for what, changes := range map[string][]audit.Difference{"other changes": {{Field: "/x", After: []byte("1")}}, "no changes": nil} {
			if len(r.Changes) == 0 && changes == nil {
				continue
			}
			forged := r
			forged.Changes = changes
			text, err := json.Marshal(forged)
			p.check(err)
			tampered := slices.Clone(lines)
			tampered[i] = string(text) + "\n"
			p.names(t, fmt.Sprintf("%s of %s at %d", what, r.Stream, r.Sequence), tampered, r.Stream, r.Sequence)
		}
	}
	header := strings.Replace(lines[2], `{"stream"`, `{"environment":"staging","stream"`, 1)
	refuses(t, "another header", append(append(slices.Clone(lines[:2]), header), lines[3:]...), p.keys.Trust, audit.Options{}, "line 3")
}
