package kubernetes

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The types of Secrets.
const (
	// TypeOpaque is the type of a Secret with any content.
	TypeOpaque = "Opaque"
	// TypeTLS is the type of a Secret that has tls.crt and tls.key.
	TypeTLS = "kubernetes.io/tls"
)

// Secret is a Secret object. What this package does not know of it stays as it is when it is written back.
type Secret struct {
	Metadata Metadata          `json:"metadata"`
	Type     string            `json:"type,omitempty"`
	Data     map[string][]byte `json:"data,omitempty"`
	// Rest are the members without a field, an object or nothing.
	Rest jsontext.Value `json:",embed"`
}

// Metadata are the metadata of an object.
type Metadata struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// ResourceVersion is what was read. An update fails with ErrConflict if the object has another one by then.
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
	// Rest are the members without a field, an object or nothing.
	Rest jsontext.Value `json:",embed"`
}

// String names the Secret and keeps what is in it.
func (s Secret) String() string { return s.Metadata.Namespace + "/" + s.Metadata.Name }

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// parseSecret reads a Secret in an answer. Errors do not repeat what it says.
func parseSecret(text []byte, namespace, name string) (Secret, error) {
	var s struct {
		Secret

		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
			return Secret{}, fmt.Errorf("the answer is no Secret: see %q in it", string(semantic.JSONPointer))
		}
		return Secret{}, errors.New("the answer is no Secret: it is not JSON")
	}
	switch {
	case s.APIVersion != "v1" || s.Kind != "Secret":
		return Secret{}, fmt.Errorf("the answer is a %.50q of %.50q, not a Secret of v1", s.Kind, s.APIVersion)
	case s.Metadata.Namespace != namespace || s.Metadata.Name != name:
		return Secret{}, fmt.Errorf("the answer is the Secret %.300q, which was not asked for", s.Secret.String())
	}
	return s.Secret, nil
}

// format writes a Secret for a request.
func (s Secret) format() ([]byte, error) {
	text, err := json.Marshal(struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Secret
	}{"v1", "Secret", s}, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written as JSON", s)
	}
	return text, nil
}
