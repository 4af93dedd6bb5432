package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/changelog"
)

// Write goes with a change.
type Write struct {
	// Seen is what the author knows of the document; the zero value if the change is about no single document.
	Seen control.Precondition
	// Reason stays in the log.
	Reason string
	// Key makes the change safe to repeat; empty is none.
	Key string
}

// Documents returns a part of the documents of a kind, by key, that begins after a key; limit is at most 1000, 0 is the publisher's.
func (c *Client) Documents(ctx context.Context, environment string, kind changelog.Kind, after string, limit int) (DocumentList, error) {
	path := []string{"environments", environment, "flags"}
	if kind == changelog.KindSegment {
		path[2] = "segments"
	}
	query := url.Values{}
	if after != "" {
		query.Set("after", after)
	}
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	var list DocumentList
	_, err := c.do(ctx, request{method: http.MethodGet, path: path, query: query}, &list)
	return list, err
}

// Patch changes members of a flag or segment by a JSON Merge Patch.
func (c *Client) Patch(ctx context.Context, environment string, id changelog.ID, patch []byte, w Write) (Written, error) {
	return c.write(ctx, request{
		method: http.MethodPatch, path: documentPathOf(environment, id), body: patch, media: mergePatchMedia,
	}, w)
}

// Toggle turns a flag on or off.
func (c *Client) Toggle(ctx context.Context, environment, key string, on bool, w Write) (Written, error) {
	return c.post(ctx, append(documentPathOf(environment, changelog.ID{Kind: changelog.KindFlag, Key: key}), "toggle"), map[string]bool{"on": on}, w)
}

// Archive removes a flag or segment; forced, with everything that depends on it.
func (c *Client) Archive(ctx context.Context, environment string, id changelog.ID, force bool, w Write) (Written, error) {
	return c.post(ctx, append(documentPathOf(environment, id), "archive"), map[string]bool{"force": force}, w)
}

// RollBack makes a flag or segment what it was at a revision of the environment, or all documents when the id is zero.
func (c *Client) RollBack(ctx context.Context, environment string, id changelog.ID, revision string, w Write) (Written, error) {
	path := []string{"environments", environment}
	if id != (changelog.ID{}) {
		path = documentPathOf(environment, id)
	}
	return c.post(ctx, append(path, "rollback"), map[string]string{"revision": revision}, w)
}

// Promote makes flags, with all that they depend on, what they are in another environment; without any, all flags and segments.
func (c *Client) Promote(ctx context.Context, environment, from string, flags []string, w Write) (Written, error) {
	body := map[string]any{"from": from}
	if len(flags) > 0 {
		body["flags"] = flags
	}
	return c.post(ctx, []string{"environments", environment, "promote"}, body, w)
}

// Preview tells what a command would change, how risky that is, and who must agree.
func (c *Client) Preview(ctx context.Context, environment string, command Command) (Preview, error) {
	var p Preview
	err := c.send(ctx, request{method: http.MethodPost, path: []string{"environments", environment, "preview"}}, map[string]any{"command": command}, &p)
	return p, err
}

func (c *Client) post(ctx context.Context, path []string, body any, w Write) (Written, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return Written{}, fmt.Errorf("publisher: %w", err)
	}
	return c.write(ctx, request{method: http.MethodPost, path: path, body: data}, w)
}

func (c *Client) write(ctx context.Context, r request, w Write) (Written, error) {
	r.seen, r.reason, r.key = w.Seen, w.Reason, w.Key
	var out Written
	_, err := c.do(ctx, r, &out)
	return out, err
}

// send makes a request with a body of JSON.
func (c *Client) send(ctx context.Context, r request, body, out any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	r.body = data
	_, err = c.do(ctx, r, out)
	return err
}
