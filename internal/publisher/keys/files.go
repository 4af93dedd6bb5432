package keys

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flagside/flagside/sync/changelog"
)

// Files are what a directory of keys holds, by the names of its files, for where that is no directory but a Secret of Kubernetes.
type Files map[string][]byte

// Generate returns the files of a new installation with a root key in its secret form, see [GenerateRoot]. The root key is not among them.
func Generate(root string) (Files, error) {
	rootKey, err := changelog.ParseSecret(root)
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	signing, public, err := changelog.GenerateKey(rootKey.Installation)
	if err != nil {
		return nil, err
	}
	n, err := changelog.NewKeysNote(rootKey.Installation, 1, root, public)
	if err != nil {
		return nil, err
	}
	trust, err := changelog.ParseTrust([]byte(rootKey.Public + "\n"))
	if err != nil {
		return nil, err
	}
	if trust, err = trust.WithFloor(n.Text); err != nil {
		return nil, err
	}
	return Files{SigningFile: []byte(signing + "\n"), NoteFile: []byte(n.Text), TrustFile: []byte(trust.String())}, nil
}

// GenerateRoot returns the root key of a new installation in its secret form.
func GenerateRoot() (string, error) {
	root, _, err := changelog.GenerateKey(changelog.NewInstallation())
	return root, err
}

// Verify reports whether publishers can use the files, and returns what the trust file says. Errors do not repeat what is secret.
func (f Files) Verify() (changelog.Trust, error) {
	for _, name := range []string{SigningFile, NoteFile, TrustFile} {
		if len(f[name]) == 0 {
			return changelog.Trust{}, fmt.Errorf("%s is missing: restore it from a copy", name)
		}
	}
	trust, err := changelog.ParseTrust(f[TrustFile])
	if err != nil {
		return changelog.Trust{}, fmt.Errorf("%s: %w", TrustFile, err)
	}
	ring := changelog.NewPublisherKeyring(trust)
	if err := ring.Propose(string(f[NoteFile])); err != nil {
		return changelog.Trust{}, fmt.Errorf("%s: %w", NoteFile, err)
	}
	signing, err := changelog.ParseSecret(string(f[SigningFile]))
	if err == nil && !ring.Signs(signing.ID) {
		err = errors.New("the keys note does not list it")
	}
	if err != nil {
		return changelog.Trust{}, fmt.Errorf("%s: %w", SigningFile, err)
	}
	return trust, nil
}

// VerifyRoot reports whether a key in its secret form is a root key that is trusted.
func VerifyRoot(root string, trust changelog.Trust) error {
	key, err := changelog.ParseSecret(root)
	if err == nil && !slices.Contains(trust.Roots(), key) {
		err = errors.New("it is not among the root keys of the trust file")
	}
	return err
}
