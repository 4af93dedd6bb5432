package following

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/kubernetes"
)

type objects struct{}

func newObjects(string, kubernetes.Options, zerolog.Logger) (*objects, error) {
	return nil, errors.New("not yet")
}
func (*objects) Run(ctx context.Context, changed func()) error { return nil }
func (*objects) Read(rules *eval.Ruleset) (*version, error)    { return nil, errEmpty }
func (*objects) Tell(outcome)                                  {}
