package client

import (
	"context"
	"net/http"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
)

// Documents returns a part of the flags or segments of an environment, by key.
func (c *Client) Documents(ctx context.Context, environment string, kind document.Kind, q api.DocumentQuery) (api.DocumentList, error) {
	return answer[api.DocumentList](ctx, c, get("environments", environment, string(kind)+"s").with(q))
}

// AllDocuments returns all flags or segments of an environment, by key. It asks for them in parts, between which some may change.
func (c *Client) AllDocuments(ctx context.Context, environment string, kind document.Kind) ([]api.DocumentInList, error) {
	return all(func(after string) ([]api.DocumentInList, string, error) {
		part, err := c.Documents(ctx, environment, kind, api.DocumentQuery{Limit: pageSize, After: after})
		return part.Items, part.Next, err
	})
}

// Document reads a document for editing. The precondition is the one for changing it.
func (c *Client) Document(ctx context.Context, environment string, id document.ID) (body []byte, seen Precondition, err error) {
	body, header, err := c.do(ctx, about(http.MethodGet, environment, id))
	return body, etag(header), err
}

// Put creates or replaces a document. It returns the precondition for changing it again.
func (c *Client) Put(
	ctx context.Context, environment string, id document.ID, body []byte, seen Precondition, h api.ChangeHeaders,
) (api.Written, Precondition, error) {
	put := about(http.MethodPut, environment, id).on(seen).with(h).raw("application/json", body)
	written, header, err := answerWithHeader[api.Written](ctx, c, put)
	return written, etag(header), err
}

// Patch changes members of a flag or segment by a JSON Merge Patch (RFC 7396).
func (c *Client) Patch(
	ctx context.Context, environment string, id document.ID, patch []byte, seen Precondition, h api.ChangeHeaders,
) (api.Written, error) {
	return answer[api.Written](ctx, c, about(http.MethodPatch, environment, id).on(seen).with(h).merge(patch))
}

// Delete deletes a flag or segment.
func (c *Client) Delete(ctx context.Context, environment string, id document.ID, seen Precondition, h api.ChangeHeaders) (api.Written, error) {
	return answer[api.Written](ctx, c, about(http.MethodDelete, environment, id).on(seen).with(h))
}

// Toggle turns a flag on or off.
func (c *Client) Toggle(ctx context.Context, environment, key string, on bool, seen Precondition, h api.ChangeHeaders) (api.Written, error) {
	flag := document.ID{Kind: document.KindFlag, Key: key}
	return answer[api.Written](ctx, c, about(http.MethodPost, environment, flag, "toggle").on(seen).with(h).json(api.ToggleFlag{On: on}))
}

// Archive removes a flag or segment; forced, with everything that depends on it.
func (c *Client) Archive(
	ctx context.Context, environment string, id document.ID, force bool, seen Precondition, h api.ChangeHeaders,
) (api.Written, error) {
	return answer[api.Written](ctx, c, about(http.MethodPost, environment, id, "archive").on(seen).with(h).json(api.ArchiveDocument{Force: force}))
}

// RollBack makes a flag or segment what it was at a revision of the environment.
func (c *Client) RollBack(ctx context.Context, environment string, id document.ID, revision string, h api.ChangeHeaders) (api.Written, error) {
	return answer[api.Written](ctx, c, about(http.MethodPost, environment, id, "rollback").with(h).json(api.RollBackDocument{Revision: revision}))
}

// History returns a part of the changes of a flag or segment, the newest first.
func (c *Client) History(ctx context.Context, environment string, id document.ID, q api.HistoryQuery) (api.History, error) {
	return answer[api.History](ctx, c, about(http.MethodGet, environment, id, "history").with(q))
}
