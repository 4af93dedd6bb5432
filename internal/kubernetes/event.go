package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
)

// Reference names an object that an Event is about.
type Reference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	UID        string `json:"uid,omitempty"`
}

// Event is an Event of v1: something that was done about an object, for who looks at it with kubectl describe.
type Event struct {
	// Name tells Events apart: writing one again counts it.
	Name    string
	About   Reference
	Warning bool
	// Reason is one word such as Applied, and Message a sentence.
	Reason, Message string
	// Count is how often it has happened, and First and Last when.
	Count       int
	First, Last time.Time
}

// component is what Events call who writes them.
const component = "flagside-publisher"

// WriteEvent creates an Event, or counts one of that name.
func (c *Client) WriteEvent(ctx context.Context, e Event) error {
	metadata := Metadata{Namespace: e.About.Namespace, Name: e.Name}
	kind := map[bool]string{false: "Normal", true: "Warning"}[e.Warning]
	err := c.sendEvent(ctx, http.MethodPost, "application/json", e.About.Namespace, "", map[string]any{
		"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": e.About, "type": kind, "reason": e.Reason, "message": e.Message,
		"source": map[string]string{"component": component}, "reportingComponent": component, "reportingInstance": "",
		"firstTimestamp": e.First.UTC().Format(time.RFC3339), "lastTimestamp": e.Last.UTC().Format(time.RFC3339), "count": e.Count,
	})
	if errors.Is(err, ErrConflict) {
		err = c.sendEvent(ctx, http.MethodPatch, "application/merge-patch+json", e.About.Namespace, e.Name, map[string]any{
			"lastTimestamp": e.Last.UTC().Format(time.RFC3339), "count": e.Count,
		})
	}
	if err != nil {
		return fmt.Errorf("write Event %s/%s: %w", e.About.Namespace, e.Name, err)
	}
	return nil
}

func (c *Client) sendEvent(ctx context.Context, method, contentType, namespace, name string, body map[string]any) error {
	text, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		return err
	}
	u := c.base.JoinPath("api", "v1", "namespaces", url.PathEscape(namespace), "events")
	if name != "" {
		u = u.JoinPath(url.PathEscape(name))
	}
	_, err = c.ask(ctx, method, u.String(), contentType, bytes.NewReader(text), maxAnswer)
	return err
}
