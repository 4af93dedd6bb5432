package access

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cedar-policy/cedar-go"
	ast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/flagside/flagside/sync/changelog"
)

// maxPolicyBytes bounds a policy file, and with it how deeply a policy can be nested: Cedar's parser calls itself for each level, and a
// stack that overflows would end the process.
const maxPolicyBytes = 64 << 10

//go:embed policy/default.cedar
var defaultPolicy []byte

//go:embed policy/schema.cedarschema
var policySchema []byte

// DefaultPolicy returns the text of the policies that hold unless others are given. The caller owns the slice.
func DefaultPolicy() []byte { return append([]byte(nil), defaultPolicy...) }

// Schema returns the Cedar schema that policies are checked against. The caller owns the slice.
func Schema() []byte { return append([]byte(nil), policySchema...) }

// policies are Cedar policies in the order of their file, by id.
type policies = cedar.PolicyMap

// parsePolicies reads policies and checks them against the schema. Every error begins with the place: file, line and column.
func parsePolicies(file string, text []byte) (policies, error) {
	if len(text) > maxPolicyBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes: split or shorten the policies", file, maxPolicyBytes)
	}
	list, err := cedar.NewPolicyListFromBytes(file, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no policy, so every request would be denied: write one, or leave the option out", file)
	}
	validator, err := newValidator()
	if err != nil {
		return nil, err
	}
	all := make(policies, len(list))
	var errs []error
	for _, p := range list {
		at := p.Position()
		id := policyID(p)
		if _, taken := all[id]; taken {
			errs = append(errs, fmt.Errorf("%s:%d:%d: another policy has the id %q: rename one", file, at.Line, at.Column, id))
		}
		if err := validator.Policy(string(id), (*ast.Policy)(p.AST())); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d:%d: %s: %w", file, at.Line, at.Column, id, err))
		}
		all[id] = p
	}
	return all, errors.Join(errs...)
}

// policyID returns the @id of a policy, or where it begins.
func policyID(p *cedar.Policy) cedar.PolicyID {
	if id := strings.TrimSpace(string(p.Annotations()["id"])); id != "" {
		return cedar.PolicyID(id)
	}
	return cedar.PolicyID(fmt.Sprintf("line %d", p.Position().Line))
}

func newValidator() (*validate.Validator, error) {
	var s schema.Schema
	if err := s.UnmarshalCedar(policySchema); err != nil {
		return nil, fmt.Errorf("the schema of policies: %w", err)
	}
	resolved, err := s.Resolve()
	if err != nil {
		return nil, fmt.Errorf("the schema of policies: %w", err)
	}
	return validate.New(resolved), nil
}

// policyText is a policy file with what it says.
type policyText struct {
	policies policies
	digest   changelog.Digest // of its bytes
}

func newPolicyText(file string, text []byte) (*policyText, error) {
	all, err := parsePolicies(file, text)
	if err != nil {
		return nil, err
	}
	return &policyText{all, changelog.Sum(text)}, nil
}

// readPolicies reads a policy file; the empty name means the default policy.
func readPolicies(file string) (*policyText, error) {
	if file == "" {
		return newPolicyText("default policy", defaultPolicy)
	}
	text, err := readPolicyFile(file)
	if err != nil {
		return nil, err
	}
	return newPolicyText(file, text)
}

// readPolicyFile returns the text of a policy file.
func readPolicyFile(file string) ([]byte, error) {
	text, err := readBounded(file, maxPolicyBytes)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return text, nil
}

// readBounded reads a file, and at most one byte more than limit.
func readBounded(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, limit)
}
