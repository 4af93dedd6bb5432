package following

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/flagside/flagside/internal/publisher/control/ownership"
	flagsync "github.com/flagside/flagside/sync"
)

// kubernetesPrefix begins a place that is the objects of a namespace.
const kubernetesPrefix = "kubernetes:"

// Spec says which environment follows what. Exactly one of Path and Namespace is set.
type Spec struct {
	Environment string
	Path        string // absolute and clean
	Namespace   string // of Kubernetes
}

// ParseSpec reads ENVIRONMENT=PATH or ENVIRONMENT=kubernetes:NAMESPACE.
func ParseSpec(text string) (s Spec, err error) {
	environment, place, ok := strings.Cut(text, "=")
	if !ok || place == "" {
		return s, fmt.Errorf("%q: want ENVIRONMENT=PATH or ENVIRONMENT=%sNAMESPACE, such as prod=/flags", text, kubernetesPrefix)
	}
	if err := flagsync.ValidateEnvironment(environment); err != nil {
		return s, fmt.Errorf("%q: %w", text, err)
	}
	s.Environment = environment
	if namespace, ok := strings.CutPrefix(place, kubernetesPrefix); ok {
		if s.Namespace = namespace; !isNamespace(namespace) {
			return s, fmt.Errorf("%q: %q is no name of a namespace: want up to 63 lower-case letters, digits and dashes", text, namespace)
		}
		return s, nil
	}
	if s.Path, err = filepath.Abs(place); err == nil {
		_, err = ownership.FollowedPath(s.Path)
	}
	if err != nil {
		return s, fmt.Errorf("%q: %w", text, err)
	}
	return s, nil
}

// ParseSpecs reads several, no two of which are the same.
func ParseSpecs(texts []string) ([]Spec, error) {
	var all []Spec
	seen := make(map[Spec]bool)
	for _, text := range texts {
		s, err := ParseSpec(text)
		if err == nil && seen[s] {
			err = fmt.Errorf("%q is given twice: leave one out", text)
		}
		if err != nil {
			return nil, err
		}
		seen[s] = true
		all = append(all, s)
	}
	return all, nil
}

// isNamespace reports whether Kubernetes can have a namespace of a name.
func isNamespace(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return name != "" && len(name) <= 63 && strings.Trim(name, allowed) == "" && name[0] != '-' && name[len(name)-1] != '-'
}

// Name returns the name of the source, which owns what it puts.
func (s Spec) Name() string {
	if s.Namespace != "" {
		return ownership.FollowedNamespace(s.Namespace)
	}
	name, _ := ownership.FollowedPath(s.Path)
	return name
}

// Kind says of what kind the source is: files or kubernetes.
func (s Spec) Kind() string {
	if s.Namespace != "" {
		return "kubernetes"
	}
	return "files"
}

// Place returns the path or the namespace.
func (s Spec) Place() string { return s.Path + s.Namespace }
