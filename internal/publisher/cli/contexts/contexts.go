// Package contexts keeps, in the configuration directory of a user, the publishers that the user has logged in to.
package contexts

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/fileaccess"
)

// ErrNoDirectory tells that a user has no place for contexts.
var ErrNoDirectory = errors.New("contexts cannot be kept: HOME is not set: set it")

// Context is a publisher, and how a user works with it.
type Context struct {
	// Admin is the address of its API.
	Admin string `json:"admin"`
	// CA is a PEM file with CA certificates for it; empty means those of the system.
	CA string `json:"adminCA,omitempty"`
	// TokenFile has the token of the user; empty is anonymous.
	TokenFile string `json:"tokenFile,omitempty"`
	// Environment is the one that commands are about; empty is none.
	Environment string `json:"environment,omitempty"`
}

// Contexts are the contexts of a user. The zero value has none.
type Contexts struct {
	// Current is the name of the one that is used; empty is none.
	Current string             `json:"current,omitempty"`
	All     map[string]Context `json:"contexts"`
}

// Directory returns the configuration directory of a user, whose environment lookup reads as os.LookupEnv does: flagside in XDG_CONFIG_HOME, or
// in .config of HOME.
func Directory(lookup func(string) (string, bool)) (string, error) {
	if dir, ok := lookup("XDG_CONFIG_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "flagside"), nil
	}
	home, ok := lookup("HOME")
	if !ok || home == "" {
		return "", ErrNoDirectory
	}
	return filepath.Join(home, ".config", "flagside"), nil
}

func file(dir string) string { return filepath.Join(dir, "contexts.json") }

// Read returns the contexts in a directory, none if there are none.
func Read(dir string) (Contexts, error) {
	text, err := os.ReadFile(file(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return Contexts{}, nil
	}
	var c Contexts
	if err == nil {
		err = json.Unmarshal(text, &c, json.RejectUnknownMembers(true))
	}
	if err != nil {
		return Contexts{}, fmt.Errorf("contexts: %s: %w", file(dir), err)
	}
	return c, nil
}

// Write replaces the contexts in a directory, which is made if need be, readable for its owner alone.
func Write(dir string, c Contexts) error {
	text, err := json.Marshal(c, json.Deterministic(true), jsontext.WithIndent("  "))
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = fileaccess.Replace(file(dir), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	return nil
}

// WriteToken writes a token beside the contexts, readable for its owner alone, and returns its file.
func WriteToken(dir, name, token string) (string, error) {
	tokens := filepath.Join(dir, "tokens")
	path := filepath.Join(tokens, name)
	err := os.MkdirAll(tokens, 0o700)
	if err == nil {
		err = fileaccess.Replace(path, []byte(token+"\n"))
	}
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return path, nil
}

// Names returns the names of all contexts in order.
func (c Contexts) Names() []string { return slices.Sorted(maps.Keys(c.All)) }

// Value returns what the current context gives an option, and where that comes from; nothing if it says nothing about it.
func (c Contexts) Value(option string) (value, place string) {
	current, ok := c.All[c.Current]
	if !ok {
		return "", ""
	}
	switch option {
	case "admin":
		value = current.Admin
	case "admin-ca":
		value = current.CA
	case "token-file":
		value = current.TokenFile
	case "environment":
		value = current.Environment
	}
	return value, "context " + c.Current
}

// With returns the contexts with one more, or another one of the name, in use.
func (c Contexts) With(name string, made Context) Contexts {
	all := maps.Clone(c.All)
	if all == nil {
		all = make(map[string]Context)
	}
	all[name] = made
	return Contexts{Current: name, All: all}
}

// Without returns the contexts without one. If that was in use, none is.
func (c Contexts) Without(name string) Contexts {
	all := maps.Clone(c.All)
	delete(all, name)
	if c.Current == name {
		c.Current = ""
	}
	return Contexts{Current: c.Current, All: all}
}

// RemoveToken removes the token that WriteToken has written for a context, if there is one.
func RemoveToken(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, "tokens", name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("token: %w", err)
	}
	return nil
}
