package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flagside/flagside/internal/exposurekey"
	flagsync "github.com/flagside/flagside/sync"
)

// credentialFiles say what goes into a directory of credentials, and where that is.
type credentialFiles struct{ trust, ca, natsCA, exposures, out string }

// write makes the directory. It reads everything first, so that nothing is left behind when a file is missing.
func (f credentialFiles) write(seed []byte, dataDir string) error {
	trust, err := os.ReadFile(cmp.Or(f.trust, filepath.Join(dataDir, flagsync.CredentialsTrust)))
	if err != nil {
		return fmt.Errorf("root keys: %w; the publisher writes them at its first start, elsewhere name them with --trust-file", err)
	}
	var authority []byte
	if ca := cmp.Or(f.ca, f.natsCA); ca != "" {
		if authority, err = os.ReadFile(ca); err != nil {
			return fmt.Errorf("CA certificates: %w", err)
		}
	}
	key, err := f.exposureKey()
	if err != nil {
		return err
	}
	if err := emptyDirectory(f.out); err != nil {
		return err
	}
	for name, text := range flagsync.CredentialsFiles(seed, trust, authority, key) {
		if err := writeNew(filepath.Join(f.out, name), text); err != nil {
			return fmt.Errorf("credentials: %w", err)
		}
	}
	return nil
}

// exposureKey returns the text of the key for exposures, nil without one. The first time it makes the file.
func (f credentialFiles) exposureKey() ([]byte, error) {
	if f.exposures == "" {
		return nil, nil
	}
	if _, err := exposurekey.Parse([]byte(f.exposures)); err == nil {
		return nil, errors.New("--exposure-key is a key, and wants the name of a file: write the key into one") // without it: it is secret
	}
	text, err := os.ReadFile(f.exposures)
	if errors.Is(err, os.ErrNotExist) {
		text = exposurekey.New().Text()
		err = writeNew(f.exposures, text)
	}
	if err == nil {
		_, err = exposurekey.Parse(text)
	}
	if err != nil {
		return nil, fmt.Errorf("key for exposures: %s: %w", f.exposures, err)
	}
	return text, nil
}

// emptyDirectory makes a directory that only its owner can look into.
func emptyDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	found, err := os.ReadDir(dir)
	switch {
	case err != nil:
		return fmt.Errorf("credentials: %w", err)
	case len(found) > 0:
		return fmt.Errorf("credentials: %s exists and is not empty: name another directory", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory is of no use without the right to search it
		return fmt.Errorf("credentials: %w", err)
	}
	return nil
}

// writeNew writes a file that does not exist.
func writeNew(file string, text []byte) error {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- the operator's directory
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return errors.Join(err, out.Sync(), out.Close())
}
