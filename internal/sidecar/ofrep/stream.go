package ofrep

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// streamPath is the path of event streams. The query parameter channels narrows one to the flags of a flag set; with no name it means
// those of no flag set, and without the parameter every flag.
const streamPath = "/ofrep/v1/sse"

const (
	selectSet         = "flagSetId="
	channelsParameter = "channels"
	inactivityDelay   = "120"            // seconds for which a page out of sight keeps its stream
	keepAlive         = 30 * time.Second // between two signs of life on a stream
	eventTimeout      = 5 * time.Second  // for a client to take an event
)

// appendStreams appends the member of a bulk answer that says where changes of the selected flags are told.
func appendStreams(dst, selector []byte) []byte {
	target := streamPath
	if set, ok := strings.CutPrefix(string(bytes.TrimSpace(selector)), selectSet); ok {
		target += "?" + channelsParameter + "=" + url.QueryEscape(set)
	}
	dst = append(dst, `,"eventStreams":[{"type":"sse","endpoint":{"requestUri":`...)
	dst = appendQuoted(dst, target)
	return append(dst, `},"inactivityDelaySec":`+inactivityDelay+`}]`...)
}

// isStream reports whether a request target is that of an event stream.
func isStream(target []byte) bool {
	return string(pathOf(target)) == streamPath
}

// stream is an event stream of one client (Server-Sent Events, HTML Living Standard section 9.2).
type stream struct {
	conn         *connection
	selector     resolver.Selector
	subscription *changes.Subscription
}

// openStream answers a request for an event stream.
func (s *Server) openStream(ctx *fasthttp.RequestCtx) {
	if !ctx.IsGet() {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodGet)
		fail(ctx, fasthttp.StatusMethodNotAllowed, nil, eval.ErrorGeneral, "event streams are requested with GET")
		return
	}
	t := new(stream)
	if args := ctx.QueryArgs(); args.Has(channelsParameter) {
		if err := t.selector.Parse(append([]byte(selectSet), args.Peek(channelsParameter)...)); err != nil {
			refuse(ctx, fasthttp.StatusBadRequest)
			return
		}
	}
	c, ok := ctx.Conn().(*connection)
	if !ok || !s.beginStream(c, string(ctx.UserAgent())) {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "30")
		refuse(ctx, fasthttp.StatusTooManyRequests)
		return
	}
	t.conn = c
	s.stream(ctx, t)
}

// stream tells a client of changes until it goes away or the server stops. It occupies the connection's goroutine and none of the places
// for connections that evaluate. It writes past fasthttp, which would end the answer with its write timeout.
func (s *Server) stream(ctx *fasthttp.RequestCtx, t *stream) {
	var view *cache.View
	t.subscription, view = s.feed.Subscribe()
	defer t.subscription.Close()
	if t.write(appendOpening(nil, ctx, view)) {
		t.follow(s.ending)
	}
	t.conn.Conn.Close()
	ctx.SetConnectionClose()
}

// appendOpening appends the header of the answer and an event, unless the client comes back and was told of the view before. Who comes for the
// first time may have been answered from an older state.
func appendOpening(dst []byte, ctx *fasthttp.RequestCtx, view *cache.View) []byte {
	header := &ctx.Response.Header
	header.SetContentType("text/event-stream")
	header.Set(fasthttp.HeaderCacheControl, "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx, by default, would keep events until it has some kilobytes of them
	header.SetContentLength(-2)           // the answer ends with the connection
	dst = append(dst, header.Header()...)
	missed := ctx.Request.Header.Peek("Last-Event-ID")
	if view != nil && string(missed) != eventID(view) {
		dst = appendEvent(dst, view)
	}
	return append(dst, ": open\n\n"...)
}

// beginStream takes a place for a stream and gives the one for a connection back. A stream lasts until its connection is closed.
func (s *Server) beginStream(c *connection, agent string) bool {
	place, ok := s.streams.Take(c.holder.Named(agent), func() { s.displace(c) })
	if !ok {
		return false
	}
	c.place.Release()
	c.stream = place
	return true
}

// follow tells of changes until the client is gone or ending is closed.
func (t *stream) follow(ending <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer t.conn.Conn.Close()
	defer cancel()
	watching.Go(func() {
		defer cancel()
		if t.conn.Conn.SetReadDeadline(time.Time{}) == nil {
			_, _ = io.Copy(io.Discard, t.conn.Conn) // a client has nothing more to say; it ends when the client goes
		}
	})
	watching.Go(func() {
		select {
		case <-ending:
			cancel()
			t.conn.Conn.Close() // for a client that does not take what is being written
		case <-ctx.Done():
		}
	})
	for t.tell(ctx) {
	}
}

// tell waits for a change and tells of it, or that there was none for a while. It reports whether the stream goes on.
func (t *stream) tell(ctx context.Context) bool {
	patient, cancel := context.WithTimeout(ctx, keepAlive)
	defer cancel()
	change, err := t.subscription.Next(patient)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		return t.write([]byte(": keep-alive\n\n"))
	case !t.concerns(&change):
		return true
	default:
		return t.write(appendEvent(nil, change.View))
	}
}

// concerns reports whether a change is one of a selected flag. The first View is one of every flag.
func (t *stream) concerns(change *changes.Change) bool {
	if change.Before == nil {
		return true
	}
	for _, key := range change.Keys {
		for _, view := range []*cache.View{change.Before, change.View} {
			if flag := view.Rules().Flag(key); flag != nil && t.selector.Selects(flag) {
				return true
			}
		}
	}
	return false
}

// write sends text and reports whether the client took it in time.
func (t *stream) write(text []byte) bool {
	if t.conn.SetWriteDeadline(time.Now().Add(eventTimeout)) != nil {
		return false
	}
	_, err := t.conn.Write(text)
	return err == nil
}

// eventID identifies the state that an event tells of.
func eventID(view *cache.View) string { return view.Position().Token().String() }

// appendEvent appends an event that tells a client to evaluate again.
func appendEvent(dst []byte, view *cache.View) []byte {
	id := eventID(view)
	dst = append(append(dst, "id: "...), id...)
	dst = append(dst, "\nevent: message\ndata: "+`{"type":"refetchEvaluation","etag":"`...)
	dst = append(dst, id...)
	return append(dst, "\"}\n\n"...)
}
