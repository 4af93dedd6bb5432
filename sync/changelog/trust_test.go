package changelog

import (
	"errors"
	"strings"
	"testing"
)

func TestParseTrust(t *testing.T) {
	a := keysA()
	second := newTestKey(installationA, 50)
	both, err := a.note(t, 7, 0).Sign(second.secret)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, text string, version uint64) {
		t.Helper()
		trust, err := ParseTrust([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if trust.Installation() != installationA || trust.String() != text {
			t.Errorf("%s: installation %q, text %q", name, trust.Installation(), trust.String())
		}
		ring := NewKeyring(trust)
		if got := ring.Note().Version; got != version || ring.Installation() != installationA || ring.Trust().String() != text {
			t.Errorf("%s: the keyring knows version %d, want %d", name, got, version)
		}
	}
	f("a root", a.root.public+"\n", 0)
	f("without an end of line", a.root.public, 0)
	f("with other ends of line", "# roots\r\n"+a.root.public+"\r\n", 0)
	f("with comments", "# the root of prod\n\n  # another\n  "+a.root.public+"  \n\n", 0)
	f("two roots", a.root.public+"\n"+second.public+"\n", 0)
	f("a floor", a.root.public+"\n\n"+goldenNote, 1)
	f("a floor at once", a.root.public+"\n"+goldenNote, 1)
	f("a floor of the second root", a.root.public+"\n"+second.public+"\n"+both.Text, 7)
	f("a comment about keys notes", "# see flagside keys 2\n"+a.root.public+"\n\n"+goldenNote, 1)
}

func TestParseTrustRefuses(t *testing.T) {
	a, b := keysA(), keysB()
	root := a.root.public + "\n"
	f := func(name, text string) {
		t.Helper()
		trust, err := ParseTrust([]byte(text))
		if !errors.Is(err, ErrTrust) || trust.Installation() != "" {
			t.Errorf("%s: installation %q, error %v, want ErrTrust", name, trust.Installation(), err)
		}
	}
	f("nothing", "")
	f("comments only", "# nothing\n\n")
	f("a secret key", a.root.secret)
	f("no key", root+"something\n")
	f("a damaged key", strings.Replace(root, "+A", "+B", 1))
	f("a cut key", root[:len(root)-6])
	f("two on a line", a.root.public+" "+a.root.public)
	f("the same root twice", root+root)
	f("roots of two installations", root+b.root.public+"\n")
	f("a root of another name", newTestKey("x/"+installationA, 1).public)
	f("a root of a short installation", newTestKey(installationA[1:], 1).public)
	f("a root of an upper-case installation", newTestKey(strings.ToUpper(installationA), 1).public)
	f("a floor alone", goldenNote)
	f("a floor before the root", goldenNote+"\n"+root)
	f("a floor of another root", newTestKey(installationA, 50).public+"\n"+goldenNote)
	f("a floor of another installation", root+b.note(t, 1, 0).Text)
	f("an altered floor", root+strings.Replace(goldenNote, "version 1", "version 2", 1))
	f("an unsigned floor", root+goldenNote[:strings.Index(goldenNote, "\n\n")+1])
	f("a floor without an end", root+strings.TrimSuffix(goldenNote, "\n"))
	f("two floors", root+goldenNote+goldenNote)
	f("a floor of another format", root+strings.Replace(goldenNote, "flagside keys 2", "flagside keys 3", 1))
}

// The zero value trusts nothing.
func TestZeroTrust(t *testing.T) {
	ring := NewKeyring(Trust{})
	if err := ring.Adopt(goldenNote); !errors.Is(err, ErrKeysNote) {
		t.Errorf("error %v, want ErrKeysNote", err)
	}
	h := headerOf(nil).Head
	if err := ring.VerifyHead(prod, h); !errors.Is(err, ErrUnsigned) {
		t.Errorf("error %v, want ErrUnsigned", err)
	}
}

// signText signs any text as the root of installation A.
func signText(text string) string {
	return text + "\n— flagside/" + installationA + " " + string(keysA().root.sign(text)) + "\n"
}

func TestKeysNoteRefuses(t *testing.T) {
	a := keysA()
	body, _, _ := strings.Cut(goldenNote, "\n\n")
	body += "\n"
	line := "sign " + a.signing[2].public + "\n"
	if err := a.cold(t).Adopt(signText(body + line)); err != nil {
		t.Fatalf("the valid one: %v", err)
	}
	f := func(name, text string) {
		t.Helper()
		ring := a.cold(t)
		if err := ring.Adopt(text); !errors.Is(err, ErrKeysNote) {
			t.Errorf("%s: error %v, want ErrKeysNote", name, err)
		}
		if ring.Note().Version != 0 || ring.Signs(a.signing[0].id) {
			t.Errorf("%s: it was taken over", name)
		}
	}
	change := func(name, old, replacement string) {
		t.Helper()
		if !strings.Contains(body, old) {
			t.Fatalf("%s: the note does not contain %q", name, old)
		}
		f(name, signText(strings.Replace(body, old, replacement, 1)))
	}
	f("nothing", "")
	f("unsigned", body)
	f("signed by a signing key under the name of the root", strings.Replace(signText(body), string(a.root.sign(body)), string(a.signing[0].sign(body)), 1))
	f("altered", strings.Replace(goldenNote, "version 1", "version 9", 1))
	f("trailing text", goldenNote+"\n")
	f("without an end", strings.TrimSuffix(goldenNote, "\n"))
	f("of another installation", keysB().note(t, 1, 0).Text)
	other, _, _ := strings.Cut(keysB().note(t, 1, 0).Text, "\n\n")
	f("of another installation, signed by this root", signText(other+"\n"))
	f("large", signText(body+strings.Repeat(line, 1)+strings.Repeat("sign x\n", maxKeysNote/7)))
	change("another kind", "flagside keys 2", "flagside entry 2")
	change("another format", "flagside keys 2", "flagside keys 3")
	change("no installation", installationA+"\n", "")
	change("another installation", installationA+"\n", installationB+"\n")
	change("an upper-case installation", installationA+"\n", strings.ToUpper(installationA)+"\n")
	for _, bad := range []string{
		"", "version", "version ", "version 0", "version 01", "version -1", "version +1", "version 1.0", "version 1 ", " version 1",
		"version 2147483648", "version 18446744073709551616", "Version 1", "requires 2", "version 1\nversion 1",
	} {
		change("the version "+bad, "version 1", bad)
	}
	for _, bad := range []string{"", "requires 0", "requires 02", "requires x", "version 2"} {
		change("the requirement "+bad, "requires 2", bad)
	}
	f("no key", signText("flagside keys 2\n"+installationA+"\nversion 1\nrequires 2\n"))
	f("a key twice", signText(body+"sign "+a.signing[0].public+"\n"))
	f("a key of another installation", signText(body+"sign "+keysB().signing[0].public+"\n"))
	f("a damaged key", signText(body+line[:len(line)-6]+"\n"))
	f("a secret key", signText(body+"sign "+a.signing[2].secret+"\n"))
	f("another line", signText(body+"revoke "+a.signing[2].public+"\n"))
	f("an empty line", signText("flagside keys 2\n"+installationA+"\nversion 1\n\nrequires 2\nsign "+a.signing[0].public+"\n"))
	many := body
	for i := range MaxSigningKeys - 1 {
		many += "sign " + newTestKey(installationA, byte(120+i)).public + "\n"
	}
	f("a key too many", signText(many))
	if err := a.cold(t).Adopt(signText(strings.TrimSuffix(many, "sign "+newTestKey(installationA, 120+MaxSigningKeys-2).public+"\n"))); err != nil {
		t.Errorf("as many keys as may be: %v", err)
	}
}

func TestNewKeysNoteRefuses(t *testing.T) {
	a := keysA()
	f := func(name, installation string, version uint64, root string, keys ...string) {
		t.Helper()
		if n, err := NewKeysNote(installation, version, root, keys...); err == nil {
			t.Errorf("%s: signed %s", name, n.Text)
		}
	}
	key := a.signing[0].public
	f("version 0", installationA, 0, a.root.secret, key)
	f("no keys", installationA, 1, a.root.secret)
	f("no root", installationA, 1, "", key)
	f("a public root", installationA, 1, a.root.public, key)
	f("a secret key in the list", installationA, 1, a.root.secret, a.signing[0].secret)
	f("another installation", installationB, 1, a.root.secret, key)
	f("a line break in a key", installationA, 1, a.root.secret, key+"\nsign "+a.signing[1].public)
	f("the same key twice", installationA, 1, a.root.secret, key, key)
	if _, err := (KeysNote{Installation: installationA, Version: 1, Keys: []string{key}}).Sign(a.root.secret); err == nil {
		t.Error("a note that requires nothing was signed")
	}
}

// Changing the root: a note that both have signed is one for either.
func TestKeysNoteOfTwoRoots(t *testing.T) {
	a, second := keysA(), newTestKey(installationA, 50)
	n, err := a.note(t, 3, 1).Sign(a.root.secret, second.secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, roots := range []string{a.root.public, second.public, a.root.public + "\n" + second.public} {
		trust, err := ParseTrust([]byte(roots + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		ring := NewKeyring(trust)
		adopt(t, ring, n)
		if !ring.Signs(a.signing[1].id) || ring.Signs(a.signing[0].id) {
			t.Errorf("with %q another key signs", roots)
		}
	}
}

// A generated key and a generated installation fit together.
func TestGenerate(t *testing.T) {
	installation := NewInstallation()
	if installation == NewInstallation() {
		t.Error("two installations have one name")
	}
	root, rootPublic, err := GenerateKey(installation)
	if err != nil {
		t.Fatal(err)
	}
	secret, public, err := GenerateKey(installation)
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewKeysNote(installation, 1, root, public)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := ParseTrust([]byte(rootPublic + "\n\n" + n.Text))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	h, err := signer.SignHead(prod, Head{Position: Position{Epoch: epochA, Revision: 1, Digest: Sum(nil)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := NewKeyring(trust).VerifyHead(prod, h); err != nil {
		t.Error(err)
	}
}

// Whatever the text is, what is taken for a trust file can be read again, and a
// keys note that is taken over is one that the root signed.
func FuzzParseTrust(f *testing.F) {
	a := keysA()
	f.Add([]byte(a.root.public + "\n\n" + goldenNote))
	f.Add([]byte("# comment\n" + a.root.public))
	f.Add([]byte(goldenNote))
	root := a.root.public
	f.Fuzz(func(t *testing.T, data []byte) {
		trust, err := ParseTrust(data)
		if err != nil {
			if !errors.Is(err, ErrTrust) {
				t.Errorf("error %v", err)
			}
			return
		}
		again, err := ParseTrust([]byte(trust.String()))
		if err != nil || again.Installation() != trust.Installation() {
			t.Errorf("read again: %v", err)
		}
		if n := NewKeyring(trust).Note(); strings.Contains(root, trust.Installation()) && n.Version > 0 && n.Text != goldenNote {
			t.Errorf("taken over: %s", n.Text)
		}
	})
}
