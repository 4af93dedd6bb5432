package client

import (
	"bufio"
	"context"
	"io"
	"iter"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/publisher/api"
)

// maxEvent bounds an event of an event stream, in bytes.
const maxEvent = 16 << 20

// Activity returns a part of what happened in an environment, the newest first.
func (c *Client) Activity(ctx context.Context, environment string, q api.ActivityQuery) (api.Activity, error) {
	return answer[api.Activity](ctx, c, get("environments", environment, "activity").with(q))
}

// ActivityEvent is an event of the activity with its id, behind which a stream can go on.
type ActivityEvent struct {
	ID string
	api.Event
}

// FollowActivity returns what happens in an environment, the oldest first: from now on, or behind the event with an id. It ends when the context
// does, or with an error; a publisher ends it after an hour, which is io.EOF.
func (c *Client) FollowActivity(ctx context.Context, environment, lastEventID string) iter.Seq2[ActivityEvent, error] {
	return func(yield func(ActivityEvent, error) bool) {
		r := get("environments", environment, "activity", "events")
		if lastEventID != "" {
			r.header.Set("Last-Event-ID", lastEventID)
		}
		body, err := c.stream(ctx, r)
		if err != nil {
			yield(ActivityEvent{}, err)
			return
		}
		defer func() { _ = body.Close() }() // it was read as far as it was wanted
		for event, err := range events(body) {
			if !yield(event, err) {
				return
			}
		}
	}
}

// events reads an event stream as a publisher writes it: a line id and a line data for each event.
func events(stream io.Reader) iter.Seq2[ActivityEvent, error] {
	return func(yield func(ActivityEvent, error) bool) {
		lines := bufio.NewScanner(stream)
		lines.Buffer(nil, maxEvent)
		var event ActivityEvent
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				event = ActivityEvent{ID: value}
			case "data":
				err := json.Unmarshal([]byte(value), &event.Event)
				if !yield(event, err) || err != nil {
					return
				}
			}
		}
		err := lines.Err()
		if err == nil {
			err = io.EOF
		}
		yield(ActivityEvent{}, err)
	}
}
