package changelog_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

func secretOf(t testing.TB, installation string) (secret string, key changelog.Key) {
	t.Helper()
	secret, public, err := changelog.GenerateKey(installation)
	if err != nil {
		t.Fatal(err)
	}
	if key, err = changelog.ParseSecret(secret + "\n"); err != nil || key.Public != public || key.Installation != installation {
		t.Fatalf("the secret of %s is read as %+v, %v", public, key, err)
	}
	return secret, key
}

func TestParseTrustFile(t *testing.T) {
	t.Parallel()
	keys, other := trusttest.New(), trusttest.New()
	f := func(text, want string) {
		t.Helper()
		_, err := changelog.ParseTrust([]byte(text))
		if want == "" && err != nil || want != "" && (!errors.Is(err, changelog.ErrTrust) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q is read with %v, want %q", text, err, want)
		}
	}
	f(keys.RootPublic, "")
	f("# roots\r\n\n"+keys.RootPublic+"\r\n", "")
	f(keys.RootPublic+"\n\n"+keys.Note.Text, "")
	f("", "no root key")
	f(keys.Note.Text, "no root key")
	f(keys.Root, "no verifier key")
	f(keys.RootPublic+"\n"+other.RootPublic, "two installations")
	f(other.RootPublic+"\n\n"+keys.Note.Text, "no trusted root signed it")
	f(keys.RootPublic+"\n\n"+strings.Replace(keys.Note.Text, "version 1", "version 9", 1), "no trusted root signed it")
}

// A trust file with two roots believes each of them: that is how a root is changed.
func TestTwoRoots(t *testing.T) {
	t.Parallel()
	keys := trusttest.New()
	secret, root := secretOf(t, keys.Installation)
	_, signing := secretOf(t, keys.Installation)
	trust, err := changelog.ParseTrust([]byte(keys.TrustText()))
	if err != nil {
		t.Fatal(err)
	}
	n := changelog.KeysNote{Installation: keys.Installation, Version: 2, Requires: 2, Keys: []string{signing.Public}}
	alone, err := n.Sign(secret)
	if err != nil {
		t.Fatal(err)
	}
	both, err := n.Sign(keys.Root, secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.WithFloor(alone.Text); !errors.Is(err, changelog.ErrKeysNote) {
		t.Errorf("a note of an unknown root alone is %v", err)
	}
	next, err := trust.WithFloor(both.Text)
	if err != nil || next.Floor().Version != 2 || len(next.Roots()) != 1 {
		t.Errorf("a note of both roots: %v", err)
	}
	later, err := changelog.ParseTrust([]byte(root.Public + "\n\n" + both.Text))
	if err != nil || len(later.Roots()) != 1 || later.Roots()[0] != root {
		t.Errorf("the trust file of the new root: %v", err)
	}
}

func TestKeyringTakesTheNewestNote(t *testing.T) {
	t.Parallel()
	keys, other := trusttest.New(), trusttest.New()
	_, second := secretOf(t, keys.Installation)
	newer, err := changelog.NewKeysNote(keys.Installation, 2, keys.Root, second.Public)
	if err != nil {
		t.Fatal(err)
	}
	ring := keys.PublisherKeyring()
	first := keys.Signer().ID()
	if !ring.Signs(first) || ring.Signs(second.ID) {
		t.Fatal("version 1 does not list its key, or lists another")
	}
	if err := ring.Adopt(other.Note.Text); !errors.Is(err, changelog.ErrKeysNote) {
		t.Errorf("the note of another installation gives %v", err)
	}
	for _, text := range []string{newer.Text, keys.Note.Text, newer.Text} { // an older one changes nothing
		if err := ring.Adopt(text); err != nil {
			t.Fatal(err)
		}
		if ring.Signs(first) || !ring.Signs(second.ID) || ring.Note().Version != 2 {
			t.Errorf("version %d counts, want 2", ring.Note().Version)
		}
	}
}

func TestSignerRotates(t *testing.T) {
	t.Parallel()
	keys := trusttest.New()
	secret, key := secretOf(t, keys.Installation)
	signer := keys.Signer()
	next, err := changelog.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Rotate(trusttest.New().Signer()); err == nil {
		t.Error("the key of another installation was taken")
	}
	if err := signer.Rotate(next); err != nil || signer.ID() != key.ID {
		t.Errorf("key %08x signs, %v, want %s", signer.ID(), err, key)
	}
	anchor := changelog.Anchor{Sequence: 1}
	signature, err := signer.SignRecord("s", anchor)
	if err != nil {
		t.Fatal(err)
	}
	ring := keys.PublisherKeyring()
	if err := ring.VerifyRecord("s", anchor, signature); !errors.Is(err, changelog.ErrUnsigned) {
		t.Errorf("a key that is not listed gives %v", err)
	}
	both, err := changelog.NewKeysNote(keys.Installation, 2, keys.Root, key.Public)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ring.Adopt(both.Text), ring.VerifyRecord("s", anchor, signature)); err != nil {
		t.Errorf("the key after it was listed: %v", err)
	}
}

func TestParseSecretKeepsSecrets(t *testing.T) {
	t.Parallel()
	secret, _ := secretOf(t, changelog.NewInstallation())
	_, err := changelog.ParseSecret(secret[:len(secret)-2])
	if err == nil || strings.Contains(err.Error(), secret[len(secret)-30:len(secret)-2]) {
		t.Errorf("a broken secret gives %v", err)
	}
	_, err = changelog.ParseSecret("PRIVATE+KEY+elsewhere" + secret[strings.LastIndex(secret, "+"):])
	if err == nil {
		t.Error("a key of no installation is read")
	}
}

// fixedKey returns a key that is the same in every process: a fuzzer runs several.
func fixedKey(t testing.TB, installation string, number byte) (secret, public string) {
	t.Helper()
	seed := bytes.Repeat([]byte{number}, ed25519.SeedSize)
	public, err := note.NewEd25519VerifierKey("flagside/"+installation, ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(public, "+", 3) // name, id, key
	return "PRIVATE+KEY+" + parts[0] + "+" + parts[1] + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)), public
}

// fixedKeys returns the keys of an installation that is the same in every process.
func fixedKeys(t testing.TB, digit string) trusttest.Keys {
	t.Helper()
	k := trusttest.Keys{Installation: strings.Repeat(digit, 32)}
	var public string
	k.Root, k.RootPublic = fixedKey(t, k.Installation, 1)
	k.Signing, public = fixedKey(t, k.Installation, 2)
	var err error
	if k.Note, err = changelog.NewKeysNote(k.Installation, 1, k.Root, public); err != nil {
		t.Fatal(err)
	}
	if k.Trust, err = changelog.ParseTrust([]byte(k.RootPublic)); err != nil {
		t.Fatal(err)
	}
	return k
}

// Whatever a trust file holds, it is read or refused; and what is read names one installation, has a root, and can be written again.
func FuzzParseTrustFile(f *testing.F) {
	keys, other := fixedKeys(f, "a"), fixedKeys(f, "b")
	for _, seed := range []string{
		keys.TrustText(), keys.RootPublic, "# c\n" + keys.TrustText(), keys.RootPublic + "\n" + other.RootPublic, keys.Note.Text,
		other.RootPublic + "\n\n" + keys.Note.Text, keys.Root, "flagside keys 2\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		trust, err := changelog.ParseTrust(data)
		if err != nil {
			return
		}
		if len(trust.Installation()) != 32 || trust.String() != string(data) || len(trust.Roots()) == 0 {
			t.Fatalf("%q is trusted as installation %q with %d roots", data, trust.Installation(), len(trust.Roots()))
		}
		floor := trust.Floor()
		if floor.Text == "" {
			return
		}
		if floor.Installation != trust.Installation() || floor.Version == 0 || len(floor.Keys) == 0 {
			t.Fatalf("%q has the floor %+v", data, floor)
		}
		again, err := trust.WithFloor(floor.Text)
		if err != nil || again.Floor().Text != floor.Text || len(again.Roots()) != len(trust.Roots()) {
			t.Fatalf("%q cannot be written again: %v", data, err)
		}
	})
}

// The body of a keys note is text that a root signs: whatever it says, the note is refused or adopted as what it says.
func FuzzKeysNote(f *testing.F) {
	keys := fixedKeys(f, "a")
	for _, seed := range []struct {
		version uint64
		lines   string
	}{
		{1, keys.Note.Keys[0]},
		{7, keys.Note.Keys[0] + "\n" + keys.Note.Keys[0]},
		{0, ""},
		{1 << 40, keys.Note.Keys[0]},
		{2, keys.Note.Keys[0] + "\nsign " + keys.RootPublic},
	} {
		f.Add(seed.version, 2, seed.lines, "")
	}
	f.Add(uint64(1), 3, keys.Note.Keys[0], keys.Note.Text)
	f.Fuzz(func(t *testing.T, version uint64, requires int, lines, text string) {
		ring := keys.PublisherKeyring()
		if err := ring.Adopt(text); err == nil && text != keys.Note.Text {
			t.Fatalf("a note that no root signed was adopted: %q", text)
		}
		n, err := changelog.KeysNote{Installation: keys.Installation, Version: version, Requires: requires, Keys: []string{lines}}.Sign(keys.Root)
		if err != nil {
			return
		}
		if n.Version == 0 || n.Requires < 1 || len(n.Keys) == 0 || len(n.Keys) > changelog.MaxSigningKeys {
			t.Fatalf("a root has signed %+v", n)
		}
		if err := ring.Adopt(n.Text); err != nil {
			return // too long
		}
		if n.Version > 1 && (ring.Note().Version != n.Version || len(ring.Note().Keys) != len(n.Keys)) {
			t.Fatalf("adopted %+v, want %+v", ring.Note(), n)
		}
	})
}
