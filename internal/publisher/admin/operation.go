package admin

import (
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	flagsync "github.com/flagside/flagside/sync"
)

// The groups of operations.
const (
	environmentsTag = "environments"
	flagsTag        = "flags"
	segmentsTag     = "segments"
	settingsTag     = "settings"
	requestsTag     = "change requests"
	fleetTag        = "fleet"
	manifestTag     = "OpenFeature manifest"
	accessTag       = "access"
	webhooksTag     = "webhooks"
)

// content is a request or an answer that has nothing but a body.
type content[T any] struct{ Body T }

// operation returns an operation that answers errors with problems.
func operation(method, path, id, summary, tag string) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{tag},
		MaxBodyBytes: maxBody,
		Responses: map[string]*huma.Response{"default": {
			Description: "A problem (RFC 9457)",
			Headers:     problemHeaders(),
			Content:     map[string]*huma.MediaType{api.ProblemMedia: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}},
		}},
	}
}

// reading makes op one that only shows something of an environment, for which its caller must be permitted to read it.
func reading(op huma.Operation) huma.Operation { return needing(access.Read, op) }

// needing makes op one that is refused to callers that are not permitted an action, on the environment in its path or on what is global.
func needing(action access.Action, op huma.Operation) huma.Operation {
	op.Metadata = map[string]any{need: action}
	return op
}

// document describes a body that is a document: any JSON, checked by the evaluator and not by the API's schema.
func doc(example any) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{"application/json": {Schema: anyJSON(), Example: example}}
}

func anyJSON() *huma.Schema {
	return &huma.Schema{Description: "The document: a flag in the format of flagd with flagside's fields, a segment, or settings."}
}

// problem returns what to answer to an error.
func (s *server) problem(err error) *problem { return problemOf(err, s.options.Logger) }

func unknownEnvironment(name string) error {
	return fmt.Errorf("%w %q: create it first", flagsync.ErrEnvironmentUnknown, name)
}
