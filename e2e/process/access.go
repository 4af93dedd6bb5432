package process

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// everything is a policy that permits everything to everybody who is authenticated: what is tested and measured with these processes is
// not who may do what.
const everything = "permit (principal, action, resource);\n"

// tokenFile is the file with the token of all publishers that are run from these binaries.
func (b Binaries) tokenFile() string { return filepath.Join(filepath.Dir(b.Publisher), "admin-token") }

// trustFile is the file with the root keys of those publishers.
func (b Binaries) trustFile() string { return filepath.Join(filepath.Dir(b.Publisher), "trust") }

// accessArguments returns the options that make a publisher accept that token for everything.
func (b Binaries) accessArguments() ([]string, error) {
	policy := filepath.Join(filepath.Dir(b.Publisher), "everything.cedar")
	if err := writeOnce(policy, everything); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return []string{"--policy", policy, "--admin-token-file", b.tokenFile()}, nil
}

// writeOnce writes a file unless it is there. Whoever reads it meanwhile, for another test, finds all of it.
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

// authorize adds the token of the publisher to a request.
func (p *Publisher) authorize(r *http.Request) error {
	if p.TokenFile == "" {
		return nil
	}
	token, err := os.ReadFile(p.TokenFile)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return nil
}
