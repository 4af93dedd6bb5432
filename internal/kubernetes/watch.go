package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// watchSeconds is how long the API server is asked to keep a watch, half of it at least.
	watchSeconds = 600
	// DefaultIdle is how long a watch may be silent unless the options say otherwise. An API server sends a bookmark about once a minute.
	DefaultIdle = 150 * time.Second
	// maxEvent bounds an event of a watch, in bytes.
	maxEvent = 4 << 20
)

// ChangeType says what became of an object.
type ChangeType string

// The types of changes. After a Bookmark nothing is different but the resource version.
const (
	Added    ChangeType = "ADDED"
	Modified ChangeType = "MODIFIED"
	Deleted  ChangeType = "DELETED"
	Bookmark ChangeType = "BOOKMARK"
)

// Change is an event of a watch. The resource version of its object is where a watch goes on.
type Change struct {
	Type   ChangeType
	Object Object
}

// Watch calls each with what happens to the objects of a resource after a resource version, until the API server ends that, which is no error, each
// fails, or nothing was heard for Options.Idle. It fails with ErrExpired if the API server no longer knows what came after the version.
func (c *Client) Watch(ctx context.Context, r Resource, after string, each func(Change) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(c.idle(), func() { cancel(errIdle) })
	defer idle.Stop()
	err := c.watch(ctx, r, after, func(change Change) error {
		idle.Reset(c.idle())
		return each(change)
	})
	if cause := context.Cause(ctx); errors.Is(cause, errIdle) {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("watch %s in %s: %w", r.Plural, r.Namespace, err)
	}
	return nil
}

var errIdle = errors.New("nothing was heard for too long")

func (c *Client) idle() time.Duration {
	if c.options.Idle > 0 {
		return c.options.Idle
	}
	return DefaultIdle
}

func (c *Client) watch(ctx context.Context, r Resource, after string, each func(Change) error) error {
	request, err := c.request(ctx, http.MethodGet, c.objects(r, url.Values{
		"watch": {"1"}, "resourceVersion": {after}, "allowWatchBookmarks": {"true"},
		"timeoutSeconds": {strconv.Itoa(watchSeconds/2 + rand.IntN(watchSeconds/2))}, // #nosec G404 -- so that not all watches end at once
	}), "", nil)
	if err != nil {
		return err
	}
	response, err := c.watches.Do(request) // #nosec G704 -- the operator's API server
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return err
		}
		return parseStatus(response.StatusCode, text)
	}
	return readEvents(response.Body, each)
}

// readEvents reads the events of a watch to their end.
func readEvents(body io.Reader, each func(Change) error) error {
	bounded := &io.LimitedReader{R: body}
	decoder := jsontext.NewDecoder(bounded)
	for {
		bounded.N = 2 * maxEvent // of which some may be of the next one
		value, err := decoder.ReadValue()
		switch {
		case errors.Is(err, io.EOF) && bounded.N > 0:
			return nil
		case bounded.N <= 0:
			return fmt.Errorf("an event has more than %d bytes", maxEvent)
		case err != nil:
			return err
		}
		change, err := parseChange(value)
		if err == nil {
			err = each(change)
		}
		if err != nil {
			return err
		}
	}
}

// parseChange reads an event of a watch. One that says that the watch has failed is an error.
func parseChange(text []byte) (Change, error) {
	var event struct {
		Type   ChangeType     `json:"type"`
		Object jsontext.Value `json:"object"`
	}
	if err := json.Unmarshal(text, &event); err != nil {
		return Change{}, errNoEvent
	}
	switch event.Type {
	case Added, Modified, Deleted, Bookmark:
		change := Change{Type: event.Type}
		if err := json.Unmarshal(event.Object, &change.Object); err != nil || change.Object.Metadata.ResourceVersion == "" {
			return Change{}, errNoEvent
		}
		return change, nil
	case "ERROR":
		var status struct {
			Code int `json:"code"`
		}
		if err := json.Unmarshal(event.Object, &status); err == nil && status.Code != 0 {
			return Change{}, parseStatus(status.Code, event.Object)
		}
	}
	return Change{}, errNoEvent
}
