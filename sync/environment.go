package flagsync

import (
	"fmt"
	"strings"
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
