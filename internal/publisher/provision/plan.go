package provision

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Plan says which Secrets an installation needs.
type Plan struct {
	// Release is the name of the Helm release. It stands as the label app.kubernetes.io/instance on what is made.
	Release string `json:"release"`
	// Namespace is where the publisher runs, and where all Secrets are but those of sidecars.
	Namespace string `json:"namespace"`
	// Authority has the CA, which is needed for Certificates alone.
	Authority    *Reference    `json:"authority,omitempty"`
	Certificates []Certificate `json:"certificates,omitempty"`
	Keys         *Provided     `json:"keys,omitempty"`
	// RootKey gets the root key, which lies among the keys otherwise.
	RootKey    *Reference `json:"rootKey,omitempty"`
	AdminToken *Reference `json:"adminToken,omitempty"`
	Users      *Provided  `json:"users,omitempty"`
	// NATSAuthority has the ca.crt that sidecars need; without it they trust the CAs of their system.
	NATSAuthority *Reference `json:"natsAuthority,omitempty"`
	Sidecars      []Sidecar  `json:"sidecars,omitempty"`
}

// Reference names a Secret.
type Reference struct {
	Secret string `json:"secret"`
}

// Provided names a Secret that is made unless it is an existing one, which is only read and must be there.
type Provided struct {
	Secret   string `json:"secret"`
	Existing bool   `json:"existing,omitempty"`
}

// Certificate is a Secret of the type kubernetes.io/tls for a server.
type Certificate struct {
	Secret string `json:"secret"`
	// Hosts are the names and addresses of the server.
	Hosts []string `json:"hosts"`
}

// Sidecar is a NATS user for sidecars, whose credentials are in a Secret in each of some namespaces.
type Sidecar struct {
	// Name is that of the NATS user.
	Name        string   `json:"name"`
	Environment string   `json:"environment"`
	Secret      string   `json:"secret"`
	Namespaces  []string `json:"namespaces"`
}

// Parse reads a plan. Errors name the place as a JSON pointer. Unknown members are an error.
func Parse(text []byte) (Plan, error) {
	var p Plan
	if err := json.Unmarshal(text, &p, json.RejectUnknownMembers(true)); err != nil {
		return Plan{}, fmt.Errorf("plan: %w", placed(err))
	}
	if err := p.validate(); err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	return p, nil
}

// placed returns an error of the decoder with its place first.
func placed(err error) error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok && semantic.JSONPointer != "" {
		if errors.Is(err, json.ErrUnknownName) {
			return fmt.Errorf("%s: there is no member of that name", semantic.JSONPointer)
		}
		return fmt.Errorf("%s: a JSON %s cannot stand here", semantic.JSONPointer, kind(semantic.JSONKind))
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok && syntactic.JSONPointer != "" {
		return fmt.Errorf("%s: %w", syntactic.JSONPointer, syntactic.Err)
	}
	return err
}

func kind(k jsontext.Kind) string {
	if k == jsontext.KindBeginArray {
		return "array"
	}
	return k.String()
}
