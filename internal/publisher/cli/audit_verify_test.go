package cli_test

import (
	"bytes"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// exportOf returns an export of a history with a keys note, and with a ledger that lost a record and was repaired if that is asked for.
func exportOf(t *testing.T, environment string, repaired bool) string {
	t.Helper()
	keys := trusttest.Default()
	signer := keys.Signer()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var ledger, log []writer.Stored
	repair := changelog.LedgerRepair{Lacks: changelog.Anchor{Sequence: 1, Digest: changelog.Sum([]byte("lost"))}, Actor: "admin", Time: time.Unix(1, 0)}
	for sequence := uint64(1); repaired && sequence <= 2; sequence++ {
		body, err := repair.Encode()
		must(err)
		stream := "LEDGER_" + environment
		data, err := changelog.LedgerRecord{Stream: stream, Sequence: sequence, OpID: "repair", Body: body}.Encode()
		must(err)
		repair.Leaves = changelog.Anchor{Sequence: sequence, Digest: changelog.Sum(data)}
		signature, err := signer.SignRecord(stream, repair.Leaves)
		must(err)
		ledger = append(ledger, writer.Stored{Stream: stream, Sequence: sequence, Proof: string(signature), Data: data})
	}
	doc, err := changelog.KeysDocument(keys.Note)
	must(err)
	doc.Revision = 2
	state := changelog.State{}.Edit()
	state.Add(doc)
	at := changelog.Position{Epoch: changelog.NewEpoch(time.Unix(1, 0), "")}
	for i, e := range []changelog.Entry{{Kind: document.KindEpoch, Key: document.EpochKey}, {Kind: doc.Kind, Key: doc.Key, Put: doc.Body, State: state.State().Digest()}} {
		e.Environment, e.Epoch, e.Revision, e.Prev, e.OpID, e.Index, e.Count, e.Time = environment, at.Epoch, uint64(i)+1, at.Link(), "op", i+1, 2, time.Unix(1, 0)
		data, err := e.Encode()
		must(err)
		at = changelog.Position{Epoch: e.Epoch, Revision: e.Revision, Digest: changelog.Sum(data)}
		head, err := signer.SignHead(environment, changelog.Head{Position: at, State: e.State})
		must(err)
		log = append(log, writer.Stored{Stream: "FLAGS_" + environment, Sequence: e.Revision, Subject: changelog.Subject(e.ID()), Proof: head.ProofText(), Data: data})
	}
	var out bytes.Buffer
	must(audit.Export(t.Context(), &out, audit.Source{Environment: environment, Signer: signer, Streams: []audit.Stream{
		{Name: "LEDGER_" + environment, Records: each(ledger)}, {Name: "FLAGS_" + environment, Records: each(log)},
	}}))
	return out.String()
}

func each(records []writer.Stored) iter.Seq2[writer.Stored, error] {
	return func(yield func(writer.Stored, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Only a history without a question is called whole, and only it exits with 0. One of another environment is refused, from a file and from
// a publisher.
func TestAuditVerifyTellsWhatItFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	trust := write("trust", trusttest.Default().TrustText())
	whole, repaired, staging := exportOf(t, "prod", false), exportOf(t, "prod", true), exportOf(t, "staging", false)
	export := strings.Split(strings.TrimSpace(whole), "\n")
	checkpoint := strings.NewReplacer(`{"checkpoint":"`, "", `\n`, "\n", `"}`, "").Replace(export[len(export)-1])
	answer := whole
	address := listen(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
	for name, test := range map[string]struct {
		arguments string
		code      int
		says      string
		never     string
	}{
		"whole":                     {"--file " + write("whole", whole), 0, "all 2 records of environment prod are whole and signed", "warning"},
		"the right environment":     {"-e prod --file " + write("right", whole), 0, "are whole and signed", "warning"},
		"repaired":                  {"--file " + write("repaired", repaired), 10, "the history is not whole: 4 records", "whole and signed"},
		"a torn checkpoint":         {"--file " + write("torn", whole) + " --checkpoint " + write("checkpoints", checkpoint[:90]+"\n"+checkpoint), 0, "mind the warnings", "whole and signed"},
		"CONTROL is not there":      {"--with-control --file " + write("control", whole), 1, "it does not announce CONTROL", "signed"},
		"another environment":       {"-e prod --file " + write("staging", staging), 1, `it is of environment "staging"`, "signed"},
		"from a publisher":          {"-e prod", 0, "are whole and signed", "warning"},
		"from a publisher, staging": {"-e staging", 1, `it is of environment "prod"`, "signed"},
	} {
		code, output := run(t.Context(), address, "admin", "", strings.Fields("audit verify --trust-file "+trust+" "+test.arguments)...)
		if code != test.code || !strings.Contains(output, test.says) || strings.Contains(output, test.never) {
			t.Errorf("%s: exit code %d, want %d, %q and never %q in\n%s", name, code, test.code, test.says, test.never, output)
		}
	}
}
