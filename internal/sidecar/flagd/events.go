package flagd

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// The types of events.
const (
	eventReady    = "provider_ready"
	eventChange   = "configuration_change"
	eventAlive    = "keep_alive"
	eventShutdown = "provider_shutdown"
)

// The types of changes, as flagd names them.
const (
	changeAdded   = "write"
	changeUpdated = "update"
	changeRemoved = "delete"
)

// maxEventKeys is how many flags one event names at most. Clients of gRPC refuse messages above 4 MB.
const maxEventKeys = 10_000

// errNothing is why waiting ends when there is nothing to say.
var errNothing = errors.New("nothing changed")

// errDisplaced is why a stream ends whose place another client gets.
var errDisplaced = errors.New("too many streams are open, and another client needed the place: connect again later")

// events sends what a stream of events has to say, until the client or the server goes away. It begins once there is something to
// evaluate, because that is what a provider waits for.
func (s *Server) events(ctx context.Context, header http.Header, send func(kind string, data *structpb.Struct) error) error {
	selected := new(resolver.Selector)
	if err := selected.Parse([]byte(header.Get(resolver.HeaderSelector))); err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	return s.stream(ctx, "events", header, func(ctx context.Context, subscription *changes.Subscription) error {
		if err := send(eventReady, nil); err != nil {
			return err
		}
		var again reminders
		for {
			change, err := next(ctx, subscription, again.wait(time.Now()))
			switch {
			case errors.Is(err, errNothing) && len(again) > 0:
				err = send(eventChange, again.take())
			case errors.Is(err, errNothing):
				err = send(eventAlive, nil)
			case err == nil:
				events := s.sent.events(selected, change)
				if s.eventRepeat.possible(time.Now()) {
					again.add(time.Now(), events)
				}
				err = sendAll(send, events)
			case s.isStopping():
				return send(eventShutdown, nil)
			}
			if err != nil {
				return err
			}
		}
	})
}

// stream runs a stream from the moment when there is something to evaluate. The context that it hands on ends with the server, too.
func (s *Server) stream(ctx context.Context, kind string, header http.Header, run func(context.Context, *changes.Subscription) error) error {
	holder, _ := ctx.Value(holderKey{}).(listen.Holder)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	place, ok := s.streams.Take(holder.Named(header.Get("User-Agent")), func() {
		s.options.Metrics.ended.WithLabelValues(kind).Inc()
		end(errDisplaced)
	})
	if !ok {
		return connect.NewError(connect.CodeResourceExhausted, errors.New("too many streams are open, or too many from this client: close some, or connect again later"))
	}
	defer place.Release()
	beginStream(ctx)
	open := s.options.Metrics.streams.WithLabelValues(kind)
	open.Inc()
	defer open.Dec()
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watching.Go(func() {
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	})
	subscription, view := s.options.Feed.Subscribe()
	defer subscription.Close()
	if view == nil {
		if _, err := subscription.Next(ctx); err != nil {
			return s.ended(ctx, err)
		}
	}
	return s.ended(ctx, run(ctx, subscription))
}

// ended returns how a stream ended: nil if the server goes away.
func (s *Server) ended(ctx context.Context, err error) error {
	switch {
	case s.isStopping():
		return nil
	case errors.Is(context.Cause(ctx), errDisplaced):
		return connect.NewError(connect.CodeResourceExhausted, errDisplaced)
	case errors.Is(err, context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, err)
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, err)
	default:
		return err
	}
}

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// next waits for a change, and returns errNothing after a time; after none at once, even if there is a change.
func next(ctx context.Context, subscription *changes.Subscription, wait time.Duration) (changes.Change, error) {
	if wait == 0 {
		return changes.Change{}, errNothing
	}
	waiting, cancel := context.WithTimeoutCause(ctx, wait, errNothing)
	defer cancel()
	change, err := subscription.Next(waiting)
	if err != nil && errors.Is(context.Cause(waiting), errNothing) {
		return change, errNothing
	}
	return change, err
}

func sendAll(send func(string, *structpb.Struct) error, changed []*structpb.Struct) error {
	for _, data := range changed {
		if err := send(eventChange, data); err != nil {
			return err
		}
	}
	return nil
}

// eventsOf returns the flags of a change that are selected before or after it, as the data of events.
func eventsOf(selected *resolver.Selector, change changes.Change) (events []*structpb.Struct) {
	for keys := range slices.Chunk(change.Keys, maxEventKeys) {
		flags := make(map[string]*structpb.Value)
		for _, key := range keys {
			if kind := kindOfChange(selected, change, key); kind != "" {
				flags[key] = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
					"type": structpb.NewStringValue(kind), "flagKey": structpb.NewStringValue(key),
				}})
			}
		}
		if len(flags) > 0 {
			flags := structpb.NewStructValue(&structpb.Struct{Fields: flags})
			events = append(events, &structpb.Struct{Fields: map[string]*structpb.Value{"flags": flags}})
		}
	}
	return events
}

// kindOfChange returns what happened to a flag within the selection; empty if it never was in it.
func kindOfChange(selected *resolver.Selector, change changes.Change, key string) string {
	var before *eval.Flag
	if change.Before != nil {
		before = change.Before.Rules().Flag(key)
	}
	after := change.View.Rules().Flag(key)
	was, is := before != nil && selected.Selects(before), after != nil && selected.Selects(after)
	switch {
	case was && is:
		return changeUpdated
	case was:
		return changeRemoved
	case is:
		return changeAdded
	default:
		return ""
	}
}
