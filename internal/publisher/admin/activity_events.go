package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/api"
)

const (
	// maxActivityStreams bounds the event streams of a publisher.
	maxActivityStreams = 64
	// activityEvent is the type of all events.
	activityEvent = "activity"
	// activityInterval is how often an event stream looks for news.
	activityInterval = time.Second
	// activityQuiet is after how many looks without news a comment keeps the connection alive.
	activityQuiet = 15
	// activityLifetime is how long an event stream lasts; its client comes again then.
	activityLifetime = time.Hour
	// activityWrite bounds how long a client may take to read an event.
	activityWrite = 10 * time.Second
	// activityMost is how many items one look tells at most, the newest.
	activityMost = 1000
)

type followActivity struct {
	EnvironmentPath

	LastEventID string `header:"Last-Event-ID" maxLength:"64" doc:"The id of the last event that was received; absent is only what happens from now on."`
}

// registerActivityEvents adds the event stream of what happens.
func (s *server) registerActivityEvents(h huma.API) {
	op := reading(operation(http.MethodGet, activityPath+"/events", "followActivity",
		"Follow what happens in an environment, as server-sent events of type activity with an item of listActivity each", requestsTag))
	op.Metadata[mustAuthenticate] = true
	op.Responses["200"] = &huma.Response{
		Description: "Events, oldest first; the id of each is for Last-Event-ID",
		Content:     map[string]*huma.MediaType{api.EventStreamMedia: {Schema: eventSchema()}},
	}
	places := listen.NewShares(maxActivityStreams)
	huma.Register(h, op, func(ctx context.Context, in *followActivity) (*huma.StreamResponse, error) {
		from, err := s.activityStart(ctx, in)
		if err != nil {
			return nil, err
		}
		reader := caller(ctx).PolicyID()
		if !places.Take(reader) {
			return nil, newProblem(http.StatusServiceUnavailable, api.ProblemUnavailable, fmt.Sprintf("There are %d event streams at most, and a quarter of them for one "+
				"principal: list the activity instead.", maxActivityStreams))
		}
		return &huma.StreamResponse{Body: func(out huma.Context) {
			defer places.Release(reader)
			if bounded, ok := out.BodyWriter().(*answer); ok && !bounded.stream(eventStreamCost) {
				return
			}
			out.SetHeader("Content-Type", api.EventStreamMedia)
			out.SetHeader("Cache-Control", "no-store")
			out.SetHeader("X-Accel-Buffering", "no")
			request, _ := humago.Unwrap(out)
			stream := activityStream{server: s, request: request, environment: in.Environment, after: from, out: out.BodyWriter()}
			stream.run(out.Context())
		}}, nil
	})
}

// eventSchema describes one event: OpenAPI 3.1 has no words for a stream of them, and tools that read event streams look for this.
func eventSchema() *huma.Schema {
	text := func(description string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Description: description}
	}
	event := text("What the event is.")
	event.Enum = []any{activityEvent}
	return &huma.Schema{
		Type:        huma.TypeObject,
		Description: "One event of the stream.",
		Required:    []string{"id", "event", "data"},
		Properties: map[string]*huma.Schema{
			"id":    text("For Last-Event-ID."),
			"event": event,
			"data":  text("An item of listActivity, as JSON."),
		},
	}
}

// activityStart returns the place behind which a stream begins.
func (s *server) activityStart(ctx context.Context, in *followActivity) (activity.Cursor, error) {
	if in.LastEventID != "" {
		return activityCursor("Last-Event-ID", in.LastEventID)
	}
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return activity.Cursor{}, s.problem(err)
	}
	end, err := activityEnd(ctx, service)
	if err != nil {
		return end, s.problem(err)
	}
	return end, nil
}

// activityStream is one event stream.
type activityStream struct {
	*server
	request     *http.Request
	environment string
	after       activity.Cursor
	out         io.Writer
	quiet       int       // looks since something was written
	asked       time.Time // when it was last found out whether the caller may read
}

// run writes events until the client leaves, may no longer read, or has to come again.
func (s *activityStream) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, activityLifetime)
	defer cancel()
	ticks := time.NewTicker(activityInterval)
	defer ticks.Stop()
	if !s.write(": what happens from now on\n\n") {
		return
	}
	for s.permitted(ctx) && s.look(ctx) {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// permitted reports whether the caller still is who they said, and may read: tokens end and are revoked while they read. It is found out once a
// second at most.
func (s *activityStream) permitted(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	if time.Since(s.asked) < activityInterval {
		return true
	}
	s.asked = time.Now()
	principal, err := s.options.Authenticator.Authenticate(s.request)
	if errors.Is(err, access.ErrUnavailable) {
		return true // it is found out later
	}
	return err == nil && s.permitsRead(ctx, principal, s.environment)
}

// look writes what is new, and reports whether the stream goes on.
func (s *activityStream) look(ctx context.Context) bool {
	service, err := s.options.Environments.Control(ctx, s.environment)
	if err != nil {
		return false // it was archived
	}
	state, err := service.Known()
	if err != nil {
		return true // it will be known again
	}
	end := activity.Cursor{Revision: state.Position().Revision, Sequence: service.KnownLedgerEnd()}
	if end.Revision <= s.after.Revision && end.Sequence <= s.after.Sequence {
		s.quiet++
		return s.quiet%activityQuiet != 0 || s.write(": quiet\n\n")
	}
	found, err := s.activity(ctx, s.environment, activity.Query{Limit: activityMost, After: s.after})
	if err != nil {
		return true // the next look may succeed
	}
	return s.tell(ctx, found)
}

// tell writes items, the oldest first, and goes on behind them. All but the last have the id of what came before, so that a client that
// comes back after one of them gets what it may have missed, some of it twice.
func (s *activityStream) tell(ctx context.Context, found api.Activity) bool {
	next, err := activity.ParseCursor(found.Newest)
	if err != nil {
		return false
	}
	id := s.after.String()
	for i, item := range slices.Backward(found.Items) {
		if i == 0 {
			id = next.String()
		}
		var data bytes.Buffer
		if err := marshal(&data, item); err != nil {
			return false
		}
		if !s.permitted(ctx) || !s.write(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", id, activityEvent, data.Bytes())) {
			return false
		}
	}
	s.after = next
	return true
}

func (s *activityStream) write(text string) bool {
	w, ok := s.out.(http.ResponseWriter)
	if !ok {
		return false
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(activityWrite)) // best effort
	_, err := io.WriteString(w, text)
	s.quiet = 0
	return err == nil && c.Flush() == nil
}
