package admin

import (
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

// tags returns the groups of operations with what they are about.
func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: environmentsTag, Description: "Environments: each has its own log of changes and its own revisions."},
		{Name: flagsTag, Description: "Flags, in the format of flagd with flagside's fields."},
		{Name: segmentsTag, Description: "Segments: conditions that the targeting of flags refers to by name."},
		{Name: settingsTag, Description: "What is true for all flags of an environment."},
		{Name: requestsTag, Description: "Changes that others have to agree to or that have a time, what is risky, and what was decided."},
		{Name: fleetTag, Description: "The sidecars of environments, by what they report: claims of those who hold the credentials of the environment."},
		{Name: manifestTag, Description: "Flags as OpenFeature's command line pulls and pushes them, by its Manifest Management API."},
		{Name: accessTag, Description: "Who may do what, and the tokens of callers."},
		{Name: webhooksTag, Description: "Receivers of events."},
	}
}

// describe writes the description with the project's own type for all errors.
func describe(h huma.API) []byte {
	schemas := h.OpenAPI().Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	for _, name := range problemTypes() {
		kind := schemas["Problem"].Properties["type"]
		kind.Enum = append(kind.Enum, name)
	}
	text, err := h.OpenAPI().MarshalJSON()
	if err == nil {
		err = (*jsontext.Value)(&text).Indent()
	}
	if err != nil {
		panic("admin: the API cannot be described: " + err.Error()) // a mistake in the program, seen by every test
	}
	return append(text, '\n')
}

// problemTypes returns the types of all problems, sorted.
func problemTypes() []string {
	all := []string{
		api.ProblemInvalidRequest, api.ProblemNotFound, api.ProblemMethodNotAllowed, api.ProblemMediaType, api.ProblemTooLarge, api.ProblemForeignHost, api.ProblemForeignOrigin, api.ProblemInternal,
		api.ProblemUndecided, api.ProblemPlainHTTP, api.ProblemTooMany, api.ProblemUnauthenticated, api.ProblemUnavailable,
		api.ProblemAmbiguous, api.ProblemManifestConflict,
	}
	for _, cause := range decide.Causes() {
		all = append(all, api.ProblemType+string(cause))
	}
	for _, known := range knownErrors() {
		all = append(all, api.ProblemType+known.kind)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// problemHeaders describes the headers that some problems have.
func problemHeaders() map[string]*huma.Param {
	text := &huma.Schema{Type: huma.TypeString}
	return map[string]*huma.Param{
		"Retry-After":      {Description: "Seconds after which the same may succeed, with 429 and 503.", Schema: text},
		"WWW-Authenticate": {Description: "How to say who you are, with 401.", Schema: text},
	}
}

// flagExample is a flag as it is put.
func flagExample() map[string]any {
	return map[string]any{
		"state": "ENABLED", "variants": map[string]any{"on": true, "off": false}, "defaultVariant": "off",
		"targeting": map[string]any{"if": []any{map[string]any{"ends_with": []any{map[string]any{"var": "email"}, "@example.com"}}, "on", "off"}},
		"owner":     "shop",
	}
}

// segmentExample is a segment as it is put.
func segmentExample() map[string]any {
	return map[string]any{"in": []any{map[string]any{"var": "country"}, []any{"FR", "BE"}}}
}

// describesDocument makes the answer of op a document.
func describesDocument(op huma.Operation) huma.Operation {
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: doc(nil)}
	return op
}
