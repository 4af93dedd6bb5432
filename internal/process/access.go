package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flagside/flagside/sync/changelog"
)

// everything is a policy that permits everything to everybody who is authenticated: what is tested and measured with these processes is
// not who may do what.
const everything = "permit (principal, action, resource);\n"

// tokenFile is the file with the token of all publishers that are run from these binaries.
func (b Binaries) tokenFile() string { return filepath.Join(filepath.Dir(b.Publisher), "admin-token") }

// Keys is the directory with the keys of the one installation that all publishers and sidecars that are run from these binaries belong to.
func (b Binaries) Keys() string { return filepath.Join(filepath.Dir(b.Publisher), "keys") }

// Trust returns what the keys are trusted by.
func (b Binaries) Trust() (changelog.Trust, error) {
	text, err := os.ReadFile(b.trustFile())
	if err != nil {
		return changelog.Trust{}, err
	}
	return changelog.ParseTrust(text)
}

func (b Binaries) trustFile() string { return filepath.Join(b.Keys(), "trust") }

// makeKeys makes the keys unless they are there.
func (b Binaries) makeKeys(ctx context.Context) error {
	if _, err := os.Stat(b.Keys()); err == nil {
		return nil
	}
	made, err := os.MkdirTemp(filepath.Dir(b.Publisher), "keys-")
	if err != nil {
		return err
	}
	p, err := Start(b.Publisher, "keys", "init", made)
	if err != nil {
		return err
	}
	if err := p.Finish(ctx); err != nil {
		return fmt.Errorf("make keys: %w", err)
	}
	if err := os.Rename(made, b.Keys()); err != nil {
		return errors.Join(err, os.RemoveAll(made))
	}
	return nil
}

// serveArguments returns the options that make a publisher accept that token for everything, and sign with the keys.
func (b Binaries) serveArguments() ([]string, error) {
	policy := filepath.Join(filepath.Dir(b.Publisher), "everything.cedar")
	if err := writeOnce(policy, everything); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return []string{"--policy", policy, "--admin-token-file", b.tokenFile(), "--keys", b.Keys()}, nil
}

// writeOnce writes a file unless it is there. Anyone who reads it meanwhile, for another test, finds all of it.
func writeOnce(file, text string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	made, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file))
	if err != nil {
		return err
	}
	_, err = made.WriteString(text)
	return errors.Join(err, made.Close(), os.Rename(made.Name(), file))
}
