package publisher_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// often is how often publishers of tests look whether a checkpoint is due.
const often = 100 * time.Millisecond

// history is an export, as one who has the keys of the publisher can write it again.
type history struct {
	t       *testing.T
	records map[string][]writer.Stored
}

// exported returns an export of an environment, CONTROL included.
func (r *running) exported(environment string) string {
	r.t.Helper()
	export, err := r.client.ExportAudit(r.t.Context(), environment, true)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := io.ReadAll(export)
	if err := errors.Join(err, export.Close()); err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// exported returns the history of an environment, CONTROL included.
func exported(r *running, environment string) history {
	r.t.Helper()
	h := history{r.t.(*testing.T), make(map[string][]writer.Stored)}
	for line := range strings.Lines(r.exported(environment)) {
		var record audit.Record
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			r.t.Fatal(err)
		}
		if record.Stream != "" {
			h.records[record.Stream] = append(h.records[record.Stream], writer.Stored{
				Stream: record.Stream, Sequence: record.Sequence, Subject: record.Subject, Proof: record.Proof, Data: []byte(record.Data),
			})
		}
	}
	return h
}

// without returns the history without the last records of a stream.
func (h history) without(stream string, last int) history {
	cut := history{h.t, make(map[string][]writer.Stored)}
	for name, records := range h.records {
		if name == stream {
			records = records[:len(records)-last]
		}
		cut.records[name] = records
	}
	return cut
}

// verify writes the history as an export, and verifies it against a file of checkpoints.
func (h history) verify(checkpoints []byte) error {
	h.t.Helper()
	source := audit.Source{Environment: "prod", Signer: trusttest.Default().Signer()}
	for _, stream := range []string{"CONTROL", "LEDGER_prod", "FLAGS_prod"} {
		source.Streams = append(source.Streams, audit.Stream{Name: stream, Records: all(h.records[stream])})
	}
	var export bytes.Buffer
	if err := audit.Export(h.t.Context(), &export, source); err != nil {
		h.t.Fatal(err)
	}
	_, err := audit.Verify(&export, trusttest.Default().Trust, audit.Options{Checkpoints: string(checkpoints)})
	return err
}

func all(records []writer.Stored) iter.Seq2[writer.Stored, error] {
	return func(yield func(writer.Stored, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// write makes a history with something in the log and in the ledger, which ends with each of them.
func (r *running) write() {
	r.t.Helper()
	r.create("prod")
	r.put("prod", "f", flagBody("on", ""), absent())
	for _, share := range []float64{0.3, 0.4} {
		if _, err := r.client.PutRisk(r.t.Context(), "prod", api.RiskSettings{Share: share}, api.ChangeHeaders{Reason: "because"}); err != nil {
			r.t.Fatal(err)
		}
	}
	r.put("prod", "g", flagBody("on", ""), absent())
}

// Two publishers append checkpoints to one file. It contradicts whatever they, with their keys, leave out or write differently later.
func TestACheckpointFileShowsWhatIsMissing(t *testing.T) {
	t.Parallel()
	server, file := natstest.Start(t), filepath.Join(t.TempDir(), "checkpoints")
	o := publisher.Options{NATS: server.URL(), CheckpointFile: file, CheckpointInterval: often}
	one, other := start(t, o), start(t, o)
	one.write()
	other.await("the environment", func() bool {
		_, _, err := other.client.Document(t.Context(), "prod", flagID("g"))
		return err == nil
	})
	one.stop()
	other.put("prod", "h", flagBody("on", ""), absent())
	if _, err := other.client.PutRisk(t.Context(), "prod", api.RiskSettings{Share: 0.5}, api.ChangeHeaders{Reason: "because"}); err != nil { // nothing names this record
		t.Fatal(err)
	}
	honest := exported(other, "prod")
	other.stop()
	checkpoints, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := honest.verify(checkpoints); err != nil {
		t.Errorf("the whole history: %v", err)
	}
	names := func(what, stream string, h history) {
		t.Helper()
		err := h.verify(checkpoints)
		if bad, ok := errors.AsType[*audit.BadRecordError](err); !ok || bad.Stream != stream || bad.Sequence == 0 {
			t.Errorf("%s: %v, want a record of %s", what, err, stream)
		}
	}
	names("the last entry is gone", "FLAGS_prod", honest.without("FLAGS_prod", 1))
	names("the last record of the ledger is gone", "LEDGER_prod", honest.without("LEDGER_prod", 1))

	rewritten := start(t, publisher.Options{NATS: natstest.Start(t).URL()}) // with the same keys
	rewritten.write()
	rewritten.put("prod", "h", flagBody("off", ""), absent())
	err = exported(rewritten, "prod").verify(checkpoints)
	if bad, ok := errors.AsType[*audit.BadRecordError](err); !ok || bad.Sequence == 0 {
		t.Errorf("another history of the same keys: %v, want a record that a checkpoint contradicts", err)
	}
}

// Checkpoints are signed with the key of the moment, and a file that cannot be written is a condition until it can.
func TestCheckpointsOfARunningPublisher(t *testing.T) {
	t.Parallel()
	dir, tracker := trusttest.Default().Directory(t), health.NewTracker(time.Now)
	volume := filepath.Join(t.TempDir(), "volume")
	file := filepath.Join(volume, "checkpoints")
	r := start(t, publisher.Options{
		DataDir: t.TempDir(), KeysDir: dir, Health: tracker, CheckpointFile: file, CheckpointInterval: often,
	})
	r.create("prod")
	r.await("the condition", func() bool {
		detail, ok := active(tracker, health.CheckpointNotWritten)
		return ok && strings.Contains(detail, file)
	})
	if err := os.Mkdir(volume, 0o700); err != nil {
		t.Fatal(err)
	}
	r.await("the end of the condition", func() bool {
		_, ok := active(tracker, health.CheckpointNotWritten)
		return !ok
	})
	if !strings.Contains(r.log.String(), "checkpoint not written") {
		t.Error("the log says nothing of it")
	}
	signers := func() (found []string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if signature, ok := strings.CutPrefix(line, "— flagside/"+trusttest.Default().Installation+" "); ok {
				id, ok := changelog.Signature(strings.TrimSpace(signature)).KeyID()
				if !ok {
					t.Fatal(line)
				}
				found = append(found, changelog.Key{ID: id}.String())
			}
		}
		return found
	}
	changed, err := keys.Rotate(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	r.await("the new key", func() bool { return strings.Contains(r.log.String(), "signing key rotated") })
	r.put("prod", "f", flagBody("on", ""), absent())
	r.await("a checkpoint of the new key", func() bool {
		all := signers()
		return all[len(all)-1] == changelog.Key{ID: changed.Signing.ID}.String() && all[0] != all[len(all)-1]
	})
}

// Once the key of before is revoked, what it signed stays proved, because each stream ends with what the new key signed. An export of before proves
// nothing any more.
func TestAnExportAfterTheKeyWasRevoked(t *testing.T) {
	t.Parallel()
	dir := trusttest.Default().Directory(t)
	r := start(t, publisher.Options{DataDir: t.TempDir(), KeysDir: dir})
	r.write()
	before := r.exported("prod")
	listed, err := keys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Revoke(dir, "", listed.Signing.String()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, keys.TrustFile))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := changelog.ParseTrust(text)
	if err != nil {
		t.Fatal(err)
	}
	r.await("a history that the new key proves", func() bool {
		report, err := audit.Verify(strings.NewReader(r.exported("prod")), trust, audit.Options{})
		return err == nil && len(report.Warnings) == 0
	})
	if _, err := audit.Verify(strings.NewReader(before), trust, audit.Options{}); err == nil {
		t.Error("an export that only the revoked key signed is believed")
	}
}

// After the stream of a log was lost and the environment recreated, checkpoints and the ledger name an epoch that is gone. The new epoch says that
// it left that one, so the history is proved but for what is lost.
func TestCheckpointsOfALostLog(t *testing.T) {
	t.Parallel()
	server, file := natstest.Start(t), filepath.Join(t.TempDir(), "checkpoints")
	r := governed(t, publisher.Options{NATS: server.URL(), CheckpointFile: file, CheckpointInterval: often})
	r.create("prod")
	if applied := r.agreeAndApply(r.propose("f", "")); applied.Status != "applied" {
		t.Fatalf("a request is %s", applied.Status)
	}
	lost := changelog.StreamHead{Stream: "FLAGS_prod"}
	for _, s := range exported(r, "prod").records[lost.Stream] {
		lost.Anchor = changelog.Anchor{Sequence: s.Sequence, Digest: changelog.Sum(s.Data)}
	}
	r.await("a checkpoint of the log", func() bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), lost.Digest.String())
	})
	deleteStream(t, server, lost.Stream)
	r.await("the loss", func() bool { return r.condition("stream-lost") != "" })
	if _, err := r.client.RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{}, api.RestoreHeaders{}); err != nil {
		t.Fatal(err)
	}
	checkpoints, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(strings.NewReader(r.exported("prod")), trusttest.Default().Trust, audit.Options{Checkpoints: string(checkpoints)})
	if err != nil || !report.Incomplete || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "lost and recreated") {
		t.Errorf("%v, warnings %q", err, report.Warnings)
	}
}
