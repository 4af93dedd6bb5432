package changelog

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
)

// goldenNote is version 1 of the keys note of installation A.
const goldenNote = `flagside keys 2
0123456789abcdef0123456789abcdef
version 1
requires 2
sign flagside/0123456789abcdef0123456789abcdef+3952d6cb+AVCynp+mOIj4ErG7yajGhMV4ANhfPlBLLhNGhSWlDZUe
sign flagside/0123456789abcdef0123456789abcdef+b6da4f32+AVQoIelSndGtJDv9/1xkCmUZS0gWmHplDehh186eQXpj

— flagside/0123456789abcdef0123456789abcdef GPTlVPinY1+QmAD7pKmKSOeRJNqDfUqmV7yHfa5iY9XILXTW0mDJe80/quBhLoxmkk7SigxdV14zUS+zOXN7BcFM/QQ=
`

// The texts and signatures below were made by another program. They are in logs
// and in the hands of other tools, so they never change: another form needs
// another first line.

func TestGoldenEntryProof(t *testing.T) {
	signer, keys := keysA().signing[0].signer(t), keysA().keyring(t)
	f := func(name string, h Head, text string, want Signature) {
		t.Helper()
		if got := string(entryText(installationA, prod, h.Position, h.State)); got != text {
			t.Errorf("%s: signed is (-want +got):\n%s", name, cmp.Diff(text, got))
		}
		got, err := signer.SignHead(prod, h)
		if err != nil || got.Signature != want {
			t.Errorf("%s: signature %s, %v, want %s", name, got.Signature, err, want)
		}
		if got.Signature = ""; got != h {
			t.Errorf("%s: signing made %+v of %+v", name, got, h)
		}
		h.Signature = want
		if err := keys.VerifyHead(prod, h); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checkNote(t, EntryNote(installationA, prod, h), text)
	}
	f("the last of a transaction",
		Head{Position: Position{Epoch: epochA, Revision: 1 << 40, Digest: Sum([]byte("body"))}, State: Sum([]byte("state"))},
		"flagside entry 2\n0123456789abcdef0123456789abcdef\nprod\n00112233445566778899aabbccddeeff\n1099511627776\n"+
			"230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5\n"+
			"4ba69735ca53765ed6a709edb56c6ea236b7193a3b29a6b390c346f0f4340e4e\n",
		"OVLWy3aINEN2ZXlRonDSJSZa6OYqi5ay/FZHnQyjCMzxH1wC0E0lQLHuIcwm76PlG81izmrdsYO5MjMYvx+9KaTnHgs=")
	f("another one",
		Head{Position: Position{Epoch: epochA, Revision: 7, Digest: Sum([]byte("body"))}},
		"flagside entry 2\n0123456789abcdef0123456789abcdef\nprod\n00112233445566778899aabbccddeeff\n7\n"+
			"230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5\n-\n",
		"OVLWy936lBbOPgSpfaFttmM5HjQU+zDXfdKcoM2H/b/LYq/mlt9kq//ZJtf7xp0LHxRdYt6chzVLbxoJtbstXEJJpAo=")
}

func TestGoldenRecordProof(t *testing.T) {
	const (
		text = "flagside record 2\n0123456789abcdef0123456789abcdef\nLEDGER_prod\n42\n" +
			"230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5\n"
		want = "OVLWy1Bd0Lj/nOC8FrJM8vowYSoiyhVzS1NnhbJTCTvo+eTHkvawJjFoa1+7KV7XyeWI1MzPMebjzrX0mDKZ1iE36Ak="
	)
	place := Anchor{Sequence: 42, Digest: Sum([]byte("body"))}
	got, err := keysA().signing[0].signer(t).SignRecord("LEDGER_prod", place)
	if err != nil || got != want {
		t.Errorf("signature %s, %v, want %s", got, err, want)
	}
	if err := keysA().keyring(t).VerifyRecord("LEDGER_prod", place, want); err != nil {
		t.Error(err)
	}
	checkNote(t, RecordNote(installationA, "LEDGER_prod", place, want), text)
}

func goldenHeartbeat() Heartbeat {
	return Heartbeat{
		Version:  2,
		Position: Position{Epoch: epochA, Revision: 7, Digest: Sum([]byte("body"))},
		Begin:    3, First: 1, End: 9,
		Ledger:  Anchor{Sequence: 4, Digest: Sum([]byte("ledger"))},
		Control: Anchor{Sequence: 5, Digest: Sum([]byte("control"))},
		By:      "process-1", N: 12, Time: time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC),
	}
}

func TestGoldenHeartbeat(t *testing.T) {
	const (
		text = `{"v":2,"position":{"epoch":"00112233445566778899aabbccddeeff","revision":7,` +
			`"digest":"230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"},"begin":3,"first":1,"end":9,` +
			`"ledger":{"sequence":4,"digest":"fe14010b4fe83303852f0467c919ef9a7ca089b91e96e3aad7d426dd87079297"},` +
			`"control":{"sequence":5,"digest":"0fcd568a5cb9bdb4677b69354b11ee415af8f784519cff3da49a26f84eaee7f2"},` +
			`"by":"process-1","n":12,"time":"2026-03-04T05:06:07.089Z"}`
		want = "OVLWy3YWwUKUzZOeI6u65OBEmrJpv15erJ1sDh+L3lW+d/fbErVo46NlzPeeM3w1doGMlXdqKSFWyoPUsnW1PkD29gA="
	)
	data, signature, err := EncodeHeartbeat(keysA().signing[0].signer(t), prod, goldenHeartbeat())
	if err != nil || signature != want || string(data) != text {
		t.Errorf("%s %v (-want +got):\n%s", signature, err, cmp.Diff(text, string(data)))
	}
	got, err := DecodeHeartbeat(keysA().keyring(t), prod, []byte(text), want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenHeartbeat(), got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

type manifest struct {
	Snapshots []int `json:"snapshots"`
}

func TestGoldenManifest(t *testing.T) {
	const (
		text = `{"snapshots":[1,2]}`
		want = "OVLWy3EcCrX5UUumScCSOmeAkue70GH1N+dcoCaOpSLvq/zyQIKcAdW5cCwRAKk5x3dkfLvumVWKr05z78fBLWwICQo="
	)
	data, signature, err := encodeSigned(keysA().signing[0].signer(t), signedManifest, prod, manifest{Snapshots: []int{1, 2}})
	if err != nil || signature != want || string(data) != text {
		t.Errorf("%s with %s, %v", data, signature, err)
	}
	var got manifest
	if err := decodeSigned(keysA().keyring(t), signedManifest, prod, []byte(text), want, &got); err != nil || len(got.Snapshots) != 2 {
		t.Errorf("decoded %+v, %v", got, err)
	}
	got = manifest{}
	if err := decodeSigned(keysA().keyring(t), signedManifest, prod, []byte(`{"snapshots":[1,3]}`), want, &got); !errors.Is(err, ErrUnsigned) {
		t.Errorf("an altered one: %v", err)
	}
	if got.Snapshots != nil {
		t.Error("an altered manifest was decoded")
	}
}

func TestGoldenKeysNote(t *testing.T) {
	n := keysA().note(t, 1, 0, 1)
	if diff := cmp.Diff(goldenNote, n.Text); diff != "" {
		t.Errorf("keys note (-want +got):\n%s", diff)
	}
	body, _, _ := strings.Cut(goldenNote, "\n\n")
	root, err := note.NewVerifier(keysA().root.public)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open([]byte(goldenNote), note.VerifierList(root))
	if err != nil || opened.Text != body+"\n" {
		t.Errorf("opened %+v, %v", opened, err)
	}
}

// checkNote opens a proof with the library that other tools use.
func checkNote(t *testing.T, text, want string) {
	t.Helper()
	verifier, err := note.NewVerifier(keysA().signing[0].public)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		t.Errorf("the note cannot be opened: %v", err)
	} else if opened.Text != want {
		t.Errorf("note (-want +got):\n%s", cmp.Diff(want, opened.Text))
	}
}

// statement is something that can be signed: who asks whether it is proved.
type statement struct {
	sign   func(*Signer) (Signature, error)
	verify func(*Keyring, Signature) error
}

// statements are as alike as they can be: all are about the same digest.
func statements() map[string]statement {
	body := []byte("{}")
	digest := Sum(body)
	head := func(environment string, h Head) statement {
		return statement{
			sign: func(s *Signer) (Signature, error) { h, err := s.SignHead(environment, h); return h.Signature, err },
			verify: func(k *Keyring, s Signature) error {
				h := h
				h.Signature = s
				return k.VerifyHead(environment, h)
			},
		}
	}
	record := func(stream string, a Anchor) statement {
		return statement{
			sign:   func(s *Signer) (Signature, error) { return s.SignRecord(stream, a) },
			verify: func(k *Keyring, s Signature) error { return k.VerifyRecord(stream, a, s) },
		}
	}
	document := func(kind signedKind, environment string) statement {
		return statement{
			sign: func(s *Signer) (Signature, error) {
				return s.sign(documentText(kind, s.installation, environment, digest))
			},
			verify: func(k *Keyring, s Signature) error {
				var value struct{}
				return decodeSigned(k, kind, environment, body, s, &value)
			},
		}
	}
	at := Position{Epoch: epochA, Revision: 7, Digest: digest}
	return map[string]statement{
		"entry":                     head(prod, Head{Position: at}),
		"entry with a state":        head(prod, Head{Position: at, State: digest}),
		"entry of staging":          head("staging", Head{Position: at}),
		"entry of another epoch":    head(prod, Head{Position: Position{Epoch: epochB, Revision: 7, Digest: digest}}),
		"entry of another revision": head(prod, Head{Position: Position{Epoch: epochA, Revision: 77, Digest: digest}}),
		"entry of other bytes":      head(prod, Head{Position: Position{Epoch: epochA, Revision: 7, Digest: Sum(nil)}}),
		"record":                    record("LEDGER_prod", Anchor{Sequence: 7, Digest: digest}),
		"record of an environment":  record(prod, Anchor{Sequence: 7, Digest: digest}),
		"record of CONTROL":         record("CONTROL", Anchor{Sequence: 7, Digest: digest}),
		"record of another place":   record("LEDGER_prod", Anchor{Sequence: 8, Digest: digest}),
		"record of other bytes":     record("LEDGER_prod", Anchor{Sequence: 7, Digest: Sum(nil)}),
		"heartbeat":                 document(signedHeartbeat, prod),
		"heartbeat of staging":      document(signedHeartbeat, "staging"),
		"manifest":                  document(signedManifest, prod),
		"manifest of staging":       document(signedManifest, "staging"),
	}
}

// A signature proves what it was made for and nothing else.
func TestSignaturesAreOfOneStatement(t *testing.T) {
	keys, signer := keysA().keyring(t), keysA().signing[0].signer(t)
	other := keysB().keyring(t)
	for name, signed := range statements() {
		signature, err := signed.sign(signer)
		if err != nil {
			t.Fatal(err)
		}
		for asked, question := range statements() {
			if err := question.verify(keys, signature); (err == nil) != (asked == name) || err != nil && !errors.Is(err, ErrUnsigned) {
				t.Errorf("the signature of %q, taken for that of %q: %v", name, asked, err)
			}
		}
		if err := signed.verify(other, signature); !errors.Is(err, ErrUnsigned) {
			t.Errorf("%q, in another installation: %v", name, err)
		}
	}
}

// A key that two installations share proves nothing of the other one: the signed
// text names the installation.
func TestSignaturesAreOfOneInstallation(t *testing.T) {
	a, b := keysA().signing[0], keysB()
	raw := b.signing[0]
	raw.private, raw.id = a.private, b.signing[0].id // signs with the key of the other under this name
	h := Head{Position: Position{Epoch: epochA, Revision: 7, Digest: Sum(nil)}}
	h.Signature = raw.sign(string(entryText(installationA, prod, h.Position, h.State)))
	ring := b.keyring(t)
	if err := ring.VerifyHead(prod, h); !errors.Is(err, ErrUnsigned) {
		t.Errorf("error %v, want ErrUnsigned", err)
	}
	same := newTestKey(installationB, 10) // the seed of a, as a key of this installation
	h.Signature = same.sign(string(entryText(installationA, prod, h.Position, h.State)))
	if err := ring.VerifyHead(prod, h); !errors.Is(err, ErrUnsigned) {
		t.Errorf("signed for the other installation: error %v, want ErrUnsigned", err)
	}
	h.Signature = same.sign(string(entryText(installationB, prod, h.Position, h.State)))
	if err := ring.VerifyHead(prod, h); err != nil {
		t.Errorf("signed for this installation: %v", err)
	}
}

func TestNothingSignsWithoutASigner(t *testing.T) {
	for name, s := range statements() {
		if strings.Contains(name, "heartbeat") || strings.Contains(name, "manifest") {
			continue
		}
		if signature, err := s.sign(nil); err == nil {
			t.Errorf("%s: signature %s", name, signature)
		}
	}
	if _, _, err := EncodeHeartbeat(nil, prod, goldenHeartbeat()); err == nil {
		t.Error("a heartbeat was signed")
	}
	if _, _, err := encodeSigned(nil, signedManifest, prod, manifest{}); err == nil {
		t.Error("a manifest was signed")
	}
}

func TestNewSignerRefuses(t *testing.T) {
	for name, secret := range map[string]string{
		"nothing":           "",
		"a public key":      keysA().root.public,
		"another name":      strings.Replace(keysA().root.secret, "flagside/", "other/", 1),
		"a damaged key":     keysA().root.secret[:len(keysA().root.secret)-4],
		"no installation":   newTestKey("prod", 1).secret,
		"an upper-case one": newTestKey(strings.ToUpper(installationA), 1).secret,
	} {
		if _, err := NewSigner(secret); err == nil {
			t.Errorf("%s: a signer was made", name)
		}
	}
	s := keysA().signing[0].signer(t)
	if s.ID() != keysA().signing[0].id || s.Installation() != installationA {
		t.Errorf("key %08x of %s", s.ID(), s.Installation())
	}
}

// The header of an entry is read as it is written, and everything else refused.
func TestProofText(t *testing.T) {
	signature := keysA().signing[0].sign("text")
	for _, h := range []Head{
		{Position: Position{Epoch: epochA}, Signature: signature},
		{Position: Position{Epoch: epochB}, State: Sum(nil), Signature: signature},
	} {
		epoch, state, s, err := parseProof(h.ProofText())
		if err != nil || epoch != h.Epoch || state != h.State || s != signature {
			t.Errorf("%q is read as %s %s %s, %v", h.ProofText(), epoch, state, s, err)
		}
	}
	epoch, state, proof := string(epochA), Sum(nil).String(), string(signature)
	for _, text := range []string{
		"", " ", "  ", proof, epoch + " - ", epoch + " " + proof, epoch + " " + state, epoch + "  " + proof,
		epoch[1:] + " - " + proof, strings.ToUpper(epoch) + " - " + proof, " - " + proof,
		epoch + " " + state[1:] + " " + proof, epoch + " " + strings.ToUpper(state) + " " + proof, epoch + " -- " + proof,
		epoch + " - " + proof[1:], epoch + " - " + proof + "=", epoch + " - " + proof + " ", " " + epoch + " - " + proof,
		epoch + "\t-\t" + proof, epoch + " - " + proof + "\n",
	} {
		if _, _, _, err := parseProof(text); !errors.Is(err, ErrUnsigned) {
			t.Errorf("%q: error %v, want ErrUnsigned", text, err)
		}
	}
}

// What is no signature is refused before any key is used, and a damaged one after.
func TestVerifyRefuses(t *testing.T) {
	keys := keysA().keyring(t)
	h, err := keysA().signing[0].signer(t).SignHead(prod, Head{Position: Position{Epoch: epochA, Revision: 1, Digest: Sum(nil)}})
	if err != nil {
		t.Fatal(err)
	}
	good := h.Signature
	for _, s := range []Signature{
		"", good[1:], good + "=", good[:91] + "A", "!" + good[1:], Signature(strings.Repeat("A", 92)), good[:45] + "\n" + good[46:],
		Signature(strings.Repeat("=", 92)), keysA().unknown.sign("x"), keysB().signing[0].sign("x"), keysA().root.sign(string(entryText(installationA, prod, h.Position, h.State))),
	} {
		h.Signature = s
		if err := keys.VerifyHead(prod, h); !errors.Is(err, ErrUnsigned) {
			t.Errorf("signature %q: error %v, want ErrUnsigned", s, err)
		}
	}
	for i := range 91 {
		damaged := []byte(good)
		damaged[i] ^= 1 // another digit of base64, or none
		if i == 90 {
			continue // its last bits mean nothing
		}
		h.Signature = Signature(damaged)
		if err := keys.VerifyHead(prod, h); !errors.Is(err, ErrUnsigned) {
			t.Errorf("signature damaged at %d: error %v, want ErrUnsigned", i, err)
		}
	}
}
