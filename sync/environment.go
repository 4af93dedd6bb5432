package flagsync

import (
	"fmt"
	"strings"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

const maxLabel = 63 // characters of a DNS label

// ValidateEnvironment reports why name cannot name an environment: it must be a
// DNS label (RFC 1123) in lower case that begins with a letter, of at most 63
// characters. The error wraps [ErrEnvironmentName].
func ValidateEnvironment(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrEnvironmentName)
	case len(name) > maxLabel:
		return fmt.Errorf("%w: %q has %d characters, at most %d are allowed", ErrEnvironmentName, name, len(name), maxLabel)
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return fmt.Errorf("%w: %q: use a to z, 0 to 9 and '-' only", ErrEnvironmentName, name)
	case name[0] < 'a' || name[0] > 'z':
		return fmt.Errorf("%w: %q: begin with a letter", ErrEnvironmentName, name)
	case name[len(name)-1] == '-':
		return fmt.Errorf("%w: %q: do not end with '-'", ErrEnvironmentName, name)
	}
	return nil
}

// Environment is one change log and what is known about it.
type Environment struct {
	Name     string
	Epoch    changelog.Epoch // of its first entry
	Actor    string          // opaque id of who created it
	Created  time.Time
	Archived time.Time // zero while it is in use
	// Destroyed is when it was decided to delete its flags for good; zero while it
	// can be revived. What is destroyed is archived too.
	Destroyed time.Time
}

func validateReplicas(replicas int) error {
	switch replicas {
	case 1, 3, 5:
		return nil
	}
	return fmt.Errorf("%d replicas: want 1 on a single server, 3 or 5 on a cluster", replicas)
}
