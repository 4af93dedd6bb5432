package client

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
)

// request is a call in the making.
type request struct {
	method  string
	path    []string // segments below the version, not escaped
	atRoot  bool     // path begins at the root, where another contract than ours has a place
	query   url.Values
	header  http.Header
	body    []byte
	changes bool // it asks to change something
	call    Call
	err     error // why it cannot be sent
}

func newRequest(method string, path ...string) request {
	r := request{method: method, path: path, query: url.Values{}, header: http.Header{}, changes: method != http.MethodGet}
	if len(path) > 1 && path[0] == "environments" {
		r.call.Environment = path[1]
	}
	return r
}

func get(path ...string) request { return newRequest(http.MethodGet, path...) }

func post(path ...string) request { return newRequest(http.MethodPost, path...) }

// about begins a request about a document, or about something below it.
func about(method, environment string, id document.ID, below ...string) request {
	path := []string{"environments", environment}
	switch id.Kind {
	case document.KindSettings:
		path = append(path, "settings")
	case document.KindSegment:
		path = append(path, "segments", id.Key)
	default:
		path = append(path, "flags", id.Key)
	}
	r := newRequest(method, append(path, below...)...)
	r.call.Document = id
	return r
}

// with adds the headers and query parameters of a struct of package api.
func (r request) with(parameters any) request {
	addParameters(r.query, r.header, parameters)
	r.call.IdempotencyKey = r.header.Get("Idempotency-Key")
	return r
}

// on adds what the author of a change knows of the document.
func (r request) on(p Precondition) request {
	p.set(r.header)
	r.call.Precondition = p
	return r
}

// readOnly marks a request that changes nothing although it is sent as if it did.
func (r request) readOnly() request {
	r.changes = false
	return r
}

// json adds a body of JSON. Documents in it keep the spelling of their strings.
func (r request) json(body any) request {
	r.body, r.err = json.Marshal(body, jsontext.PreserveRawStrings(true))
	r.header.Set("Content-Type", "application/json")
	return r
}

// raw adds a body as it is.
func (r request) raw(media string, body []byte) request {
	r.body = body
	r.header.Set("Content-Type", media)
	return r
}

// merge adds a body that is a JSON Merge Patch.
func (r request) merge(patch []byte) request { return r.raw(api.MergePatchMedia, patch) }

// http returns the request as one of HTTP.
func (r request) http(ctx context.Context, c *Client) (*http.Request, error) {
	if r.err != nil {
		return nil, r.err
	}
	segments := []string{strings.TrimRight(c.base.String(), "/")}
	if !r.atRoot {
		segments = append(segments, "api", "v1")
	}
	for _, segment := range r.path {
		segments = append(segments, escaped(segment))
	}
	target := strings.Join(segments, "/")
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	out, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	out.Header = r.header
	if c.token != "" {
		out.Header.Set("Authorization", "Bearer "+c.token)
	}
	return out, nil
}

// escaped returns a segment of a path. Dots alone would be taken for steps in the path.
func escaped(segment string) string {
	if strings.Trim(segment, ".") == "" {
		return strings.ReplaceAll(segment, ".", "%2E")
	}
	return url.PathEscape(segment)
}
