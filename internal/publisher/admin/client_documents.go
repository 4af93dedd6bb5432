package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

// Write goes with a change.
type Write struct {
	// Seen is what the author knows of the document; the zero value if the change is about no single document.
	Seen decide.Precondition
	// Reason stays in the log.
	Reason string
	// Key makes the change safe to repeat; empty is none.
	Key string
}

// Document reads a document for editing. The precondition is the one for changing it.
func (c *Client) Document(ctx context.Context, environment string, id document.ID) ([]byte, decide.Precondition, error) {
	found, err := c.Do(ctx, Call{Path: documentPathOf(environment, id)})
	if err != nil {
		return nil, decide.Precondition{}, err
	}
	condition, err := WriteHeaders{IfMatch: found.Header.Get("ETag")}.precondition()
	return found.Body, condition, err
}

// Put creates or replaces a document. It returns the precondition for changing it again.
func (c *Client) Put(
	ctx context.Context, environment string, id document.ID, body []byte, seen decide.Precondition, reason string,
) (Written, decide.Precondition, error) {
	var w Written
	put := Call{Method: http.MethodPut, Path: documentPathOf(environment, id), Body: body, Reason: reason}
	header, err := c.do(ctx, put.seen(seen), &w)
	if err != nil {
		return w, decide.Precondition{}, err
	}
	condition, err := WriteHeaders{IfMatch: header.Get("ETag")}.precondition()
	return w, condition, err
}

// Delete deletes a document.
func (c *Client) Delete(
	ctx context.Context, environment string, id document.ID, seen decide.Precondition, reason string,
) (Written, error) {
	var w Written
	remove := Call{Method: http.MethodDelete, Path: documentPathOf(environment, id), Reason: reason}
	_, err := c.do(ctx, remove.seen(seen), &w)
	return w, err
}

// History returns the newest changes of a flag or segment, at most 100, newest first.
func (c *Client) History(ctx context.Context, environment string, id document.ID) (History, error) {
	var h History
	_, err := c.do(ctx, Call{Path: append(documentPathOf(environment, id), "history")}, &h)
	return h, err
}

// documentPathOf returns the segments of the path of a document, below the version.
func documentPathOf(environment string, id document.ID) []string {
	switch id.Kind {
	case document.KindSettings:
		return []string{"environments", environment, "settings"}
	case document.KindSegment:
		return []string{"environments", environment, "segments", id.Key}
	default:
		return []string{"environments", environment, "flags", id.Key}
	}
}

// Documents returns a part of the documents of a kind, by key, that begins after a key; limit is at most 1000, 0 is the publisher's.
func (c *Client) Documents(ctx context.Context, environment string, kind document.Kind, after string, limit int) (DocumentList, error) {
	path := []string{"environments", environment, "flags"}
	if kind == document.KindSegment {
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
	_, err := c.do(ctx, Call{Path: path, Query: query}, &list)
	return list, err
}

// Toggle turns a flag on or off.
func (c *Client) Toggle(ctx context.Context, environment, key string, on bool, w Write) (Written, error) {
	return c.post(ctx, append(documentPathOf(environment, document.ID{Kind: document.KindFlag, Key: key}), "toggle"), map[string]bool{"on": on}, w)
}

// Archive removes a flag or segment; forced, with everything that depends on it.
func (c *Client) Archive(ctx context.Context, environment string, id document.ID, force bool, w Write) (Written, error) {
	return c.post(ctx, append(documentPathOf(environment, id), "archive"), map[string]bool{"force": force}, w)
}

// RollBack makes a flag or segment what it was at a revision of the environment, or all documents when the id is zero.
func (c *Client) RollBack(ctx context.Context, environment string, id document.ID, revision string, w Write) (Written, error) {
	path := []string{"environments", environment}
	if id != (document.ID{}) {
		path = documentPathOf(environment, id)
	}
	return c.post(ctx, append(path, "rollback"), map[string]string{"revision": revision}, w)
}

// Promote makes flags, with all that they depend on, what they are in another environment; without any, all flags and segments. It adds and
// changes, and deletes what is not there only if prune is set.
func (c *Client) Promote(ctx context.Context, environment, from string, flags []string, prune bool, w Write) (Written, error) {
	body := map[string]any{"from": from}
	if len(flags) > 0 {
		body["flags"] = flags
	}
	if prune {
		body["prune"] = true
	}
	return c.post(ctx, []string{"environments", environment, "promote"}, body, w)
}

// Preview tells what a command would change, how risky that is, and who must agree.
func (c *Client) Preview(ctx context.Context, environment string, command Command) (Preview, error) {
	var p Preview
	err := c.send(ctx, Call{Method: http.MethodPost, Path: []string{"environments", environment, "preview"}}, map[string]any{"command": command}, &p)
	return p, err
}

func (c *Client) post(ctx context.Context, path []string, body any, w Write) (Written, error) {
	var out Written
	err := c.send(ctx, Call{Method: http.MethodPost, Path: path, Reason: w.Reason, Key: w.Key}.seen(w.Seen), body, &out)
	return out, err
}
