package changelog

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

const (
	protocolPage = "../../docs/protocol.md"
	exampleBegin = "<!-- Generated up to the next mark: FLAGSIDE_UPDATE=1 go test -run Documented ./sync/changelog -->\n"
	exampleEnd   = "<!-- The end of what is generated. -->\n"

	exampleTime = "2030-01-01T00:00:00Z"
	exampleFlag = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`
)

// example is the worked example of the protocol's page. Its bytes are put together
// as the page says, without the code that is tested.
type example struct {
	keys                    testKeys
	note                    string
	entries                 []exampleMessage
	flagHash, state         string
	record, recordProof     string
	heartbeat, heartProof   string
	heartbeatText, snapshot string
	recordText, checkpoint  string
}

// exampleMessage is an entry with what proves it.
type exampleMessage struct {
	sequence                           uint64
	subject, body, digest, text, proof string
	kind                               string
}

// exampleDocument is what a document counts for in the state digest.
func exampleDocument(kind, key string, revision uint64, body string) [sha256.Size]byte {
	var b bytes.Buffer
	for _, part := range []string{kind, key, string(binary.BigEndian.AppendUint64(nil, revision)), body} {
		b.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		b.WriteString(part)
	}
	return sha256.Sum256(b.Bytes())
}

func exampleState(hashes ...[sha256.Size]byte) string {
	slices.SortFunc(hashes, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	all := append([]byte("flagside state 2\n"), binary.BigEndian.AppendUint64(nil, uint64(len(hashes)))...)
	for bucket := range 256 {
		var held []byte
		for _, hash := range hashes {
			if int(hash[0]) == bucket {
				held = append(held, hash[:]...)
			}
		}
		sum := sha256.Sum256(held)
		all = append(all, sum[:]...)
	}
	return hexSum(string(all))
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// quoted returns a text as a JSON string.
func quoted(text string) string { return `"` + strings.ReplaceAll(text, "\n", `\n`) + `"` }

func (e *example) signed(text string) string { return string(e.keys.signing[0].sign(text)) }

// entry signs an entry; state is "-" for all but the last of a transaction.
func (e *example) entry(sequence uint64, kind, key, state, body string) {
	m := exampleMessage{sequence: sequence, kind: kind, body: body, digest: hexSum(body)}
	m.subject = base64.RawURLEncoding.EncodeToString([]byte(kind + "/" + key))
	m.text = fmt.Sprintf("flagside entry 2\n%s\nprod\n%s\n%d\n%s\n%s\n", installationA, epochA, sequence, m.digest, state)
	m.proof = fmt.Sprintf("%s %s %s", epochA, state, e.signed(m.text))
	e.entries = append(e.entries, m)
}

func newExample() *example {
	e := &example{keys: keysA()}
	text := fmt.Sprintf("flagside keys 2\n%s\nversion 1\nrequires 2\nsign %s\n", installationA, e.keys.signing[0].public)
	e.note = fmt.Sprintf("%s\n— flagside/%s %s\n", text, installationA, e.keys.root.sign(text))
	e.ledger()
	keys := exampleDocument("keys", "keys", 2, quoted(e.note))
	flag := exampleDocument("flag", "new-checkout", 4, exampleFlag)
	first := exampleState(keys)
	e.flagHash, e.state = hex.EncodeToString(flag[:]), exampleState(keys, flag)
	begin := fmt.Sprintf(`{"v":2,"environment":"prod","epoch":"%s","revision":`, epochA)
	e.entry(1, "epoch", "epoch", "-", begin+fmt.Sprintf(
		`1,"op":"create-prod","kind":"epoch","key":"epoch","i":1,"n":2,"time":"%s","prev":{"revision":0,"digest":"%s"}}`,
		exampleTime, strings.Repeat("0", 64)))
	e.entry(2, "keys", "keys", first, begin+fmt.Sprintf(
		`2,"op":"create-prod","kind":"keys","key":"keys","i":2,"n":2,"put":%s,"state":"%s","time":"%s","prev":{"revision":1,"digest":"%s"}}`,
		quoted(e.note), first, exampleTime, e.entries[0].digest))
	e.entry(4, "flag", "new-checkout", e.state, begin+fmt.Sprintf(
		`4,"op":"op-1","kind":"flag","key":"new-checkout","i":1,"n":1,"put":%s,"state":"%s","actor":"token:k7","reason":"SHOP-1","time":"%s",`+
			`"ledger":{"sequence":1,"digest":"%s"},"prev":{"revision":2,"digest":"%s"}}`,
		exampleFlag, e.state, exampleTime, hexSum(e.record), e.entries[1].digest))
	e.rest()
	return e
}

// ledger makes the record that the ledger begins with.
func (e *example) ledger() {
	e.record = fmt.Sprintf(`{"v":2,"stream":"LEDGER_prod","sequence":1,"prev":{"sequence":0,"digest":"%s"},"op":"fact-1",`+
		`"record":{"v":1,"type":"unauthenticated","count":3,"since":"%s","at":"%s"}}`, strings.Repeat("0", 64), exampleTime, exampleTime)
	e.recordText = fmt.Sprintf("flagside record 2\n%s\nLEDGER_prod\n1\n%s\n", installationA, hexSum(e.record))
	e.recordProof = e.signed(e.recordText)
}

// rest makes what names the end of the log.
func (e *example) rest() {
	last := e.entries[len(e.entries)-1]
	e.heartbeat = fmt.Sprintf(`{"v":2,"position":{"epoch":"%s","revision":4,"digest":"%s"},"begin":1,"first":1,"end":4,`+
		`"ledger":{"sequence":1,"digest":"%s"},"by":"process-1","n":12,"time":"%s"}`, epochA, last.digest, hexSum(e.record), exampleTime)
	e.heartbeatText = fmt.Sprintf("flagside heartbeat 2\n%s\nprod\n%s\n", installationA, hexSum(e.heartbeat))
	e.heartProof = e.signed(e.heartbeatText)
	e.snapshot = fmt.Sprintf(`{"environment":"prod","head":{"epoch":"%s","revision":4,"digest":"%s","state":"%s","signature":"%s"},"count":2,"keys":%s}`,
		epochA, last.digest, e.state, e.signed(last.text), quoted(e.note))
	text := fmt.Sprintf("flagside checkpoint 2\n%s\n%s\nFLAGS_prod %s 4 %s\nLEDGER_prod - 1 %s\n",
		installationA, exampleTime, epochA, last.digest, hexSum(e.record))
	e.checkpoint = fmt.Sprintf("%s\n— flagside/%s %s\n", text, installationA, e.signed(text))
}

// page returns the example as the page has it.
func (e *example) page() string {
	var out strings.Builder
	block := func(title, text string) {
		fmt.Fprintf(&out, "\n%s\n\n```\n%s\n```\n", title, strings.TrimSuffix(text, "\n"))
	}
	fmt.Fprintf(&out, "\nThe installation is `%s`. The seed of its root key is the bytes 1 to 32, that of its signing key the bytes 10 to 41. "+
		"Ed25519 makes the same signature each time, so every value below can be computed again.\n", installationA)
	block("The trust file, with the public root key:", e.keys.root.public)
	block("The public signing key:", e.keys.signing[0].public)
	block("The keys note:", e.note)
	out.WriteString("\nThe stream `FLAGS_prod` has four messages. The third is noise: it has no `Flagside-Proof`.\n")
	for _, m := range e.entries {
		subject := "flags.prod." + m.subject
		block(fmt.Sprintf("Message %d, on `%s`:", m.sequence, subject), m.body)
		block(fmt.Sprintf("Its SHA-256 is `%s`. What is signed:", m.digest), m.text)
		block("Its `Flagside-Proof`:", m.proof)
	}
	fmt.Fprintf(&out, "\nAfter message 4 there are two documents, the keys note of revision 2 and the flag of revision 4. The hash of the flag is `%s`, "+
		"so it lies in bucket `%s`. The state digest stands in the message.\n", e.flagHash, e.flagHash[:2])
	block("Message 1 of the stream `LEDGER_prod`:", e.record)
	block("What is signed of it:", e.recordText)
	block("Its `Flagside-Proof`:", e.recordProof)
	block("A heartbeat on `heartbeat.prod`:", e.heartbeat)
	block("What is signed of it:", e.heartbeatText)
	block("Its `Flagside-Proof`:", e.heartProof)
	block("The header of a snapshot of revision 4:", e.snapshot)
	block("A checkpoint:", e.checkpoint)
	out.WriteString("\n")
	return out.String()
}

// The page has the example, and the code takes every byte of it.
func TestExampleIsDocumented(t *testing.T) {
	e := newExample()
	text, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), exampleBegin)
	documented, after, ok2 := strings.Cut(rest, exampleEnd)
	if !ok || !ok2 {
		t.Fatalf("%s lacks a mark, %q or %q", protocolPage, exampleBegin, exampleEnd)
	}
	if os.Getenv("FLAGSIDE_UPDATE") != "" {
		if err := os.WriteFile(protocolPage, []byte(before+exampleBegin+e.page()+exampleEnd+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(e.page(), documented); diff != "" {
		t.Errorf("%s differs from the example (-want +got); FLAGSIDE_UPDATE=1 go test writes it:\n%s", protocolPage, diff)
	}
}

// A reader that knows the root key alone is led by the log to its newest entry.
func TestExampleLog(t *testing.T) {
	e, ring := newExample(), keysA().cold(t)
	judge := NewJudge(ring, prod, Position{})
	for _, m := range e.entries {
		got, _ := judge.Offer(Message{Revision: m.sequence, Subject: m.subject, Proof: m.proof, Data: []byte(m.body)})
		if got != Candidate {
			t.Errorf("message %d: verdict %d, want %d", m.sequence, got, Candidate)
		}
		decoded, err := DecodeEntry([]byte(m.body))
		if err != nil {
			t.Fatalf("message %d: %v", m.sequence, err)
		}
		if encoded, err := decoded.Encode(); err != nil || string(encoded) != m.body {
			t.Errorf("message %d is encoded as %s, %v, want %s", m.sequence, encoded, err, m.body)
		}
	}
	if got, _ := judge.Offer(Message{Revision: 3, Data: []byte(e.entries[2].body)}); got != Noise {
		t.Errorf("message 3: verdict %d, want %d", got, Noise)
	}
	if settled := judge.Settle(-1); len(settled) != 3 || judge.Head().Digest.String() != e.entries[2].digest {
		t.Errorf("%d entries are proved, up to %+v", len(settled), judge.Head())
	}
	state := stateOf(document.Document{Kind: document.KindKeys, Key: document.KeysKey, Revision: 2, Body: []byte(quoted(e.note))}, document.Document{Kind: document.KindFlag, Key: "new-checkout", Revision: 4, Body: []byte(exampleFlag)})
	if got := state.Digest().String(); got != e.state {
		t.Errorf("state digest %s, want %s", got, e.state)
	}
}

func TestExampleOfEverythingElse(t *testing.T) {
	e, ring := newExample(), keysA().keyring(t)
	record, err := DecodeLedgerRecord([]byte(e.record))
	if err == nil {
		err = ring.VerifyRecord("LEDGER_prod", record.Anchor(), Signature(e.recordProof))
	}
	if err != nil {
		t.Errorf("record: %v", err)
	}
	if encoded, err := record.Encode(); err != nil || string(encoded) != e.record {
		t.Errorf("the record is encoded as %s, %v", encoded, err)
	}
	heartbeat, err := DecodeHeartbeat(ring, prod, []byte(e.heartbeat), Signature(e.heartProof))
	if err != nil || heartbeat.Position.Revision != 4 {
		t.Errorf("heartbeat %+v, %v", heartbeat, err)
	}
	checkpoint, err := ring.OpenCheckpoint(e.checkpoint)
	if err != nil || len(checkpoint.Heads) != 2 || checkpoint.Time.Format(time.RFC3339) != exampleTime {
		t.Errorf("checkpoint %+v, %v", checkpoint, err)
	}
	var h Header
	if err := json.Unmarshal([]byte(e.snapshot), &h); err != nil {
		t.Fatal(err)
	}
	snapshot := encodeSnapshot(t, h, []document.Document{
		{Kind: document.KindKeys, Key: document.KeysKey, Revision: 2, Body: []byte(quoted(e.note))},
		{Kind: document.KindFlag, Key: "new-checkout", Revision: 4, Body: []byte(exampleFlag)},
	})
	if !bytes.HasPrefix(snapshot, []byte("flagside snapshot 2\n"+e.snapshot+"\n")) {
		t.Errorf("a snapshot begins with %.900q", snapshot)
	}
	if _, documents, err := decodeSnapshot(t, bytes.NewReader(snapshot)); err != nil || len(documents) != 2 {
		t.Errorf("%d documents of the snapshot, %v", len(documents), err)
	}
}
