package flagd_test

import (
	"context"
	"testing"
	"time"

	evaluationv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v1"
	evaluationv2 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v2"
	syncv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/sync/v1"
	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/sidecar/flagd"
	"github.com/flagside/flagside/internal/sidecar/historytest"
)

// events is an open stream of events.
type events struct {
	t      *testing.T
	stream *connect.ServerStreamForClient[evaluationv2.EventStreamResponse]
}

func (s *system) events(t *testing.T, d dialect, header ...string) *events {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	request := connect.NewRequest(&evaluationv2.EventStreamRequest{})
	for i := 0; i < len(header); i += 2 {
		request.Header().Set(header[i], header[i+1])
	}
	stream, err := s.v2(d).EventStream(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	return &events{t: t, stream: stream}
}

// next returns the type and the data of the next event.
func (e *events) next() (kind string, data map[string]any) {
	e.t.Helper()
	if !e.stream.Receive() {
		e.t.Fatalf("the stream ends: %v", e.stream.Err())
	}
	return e.stream.Msg().Type, e.stream.Msg().Data.AsMap()
}

func (e *events) want(kind string, flags map[string]string) {
	e.t.Helper()
	got, data := e.next()
	if got != kind {
		e.t.Fatalf("event %s, %v; want %s", got, data, kind)
	}
	said := make(map[string]string)
	if all, ok := data["flags"].(map[string]any); ok {
		for key, flag := range all {
			said[key] = flag.(map[string]any)["type"].(string)
		}
	}
	if diff := cmp.Diff(flags, said); diff != "" && flags != nil {
		e.t.Fatalf("flags (-want +got):\n%s", diff)
	}
}

func TestEventsInAllDialects(t *testing.T) {
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			s := newSystem(t)
			e := s.events(t, d)
			e.want("provider_ready", nil)
			s.Commit(historytest.Flag("new", 1))
			e.want("configuration_change", map[string]string{"new": "write"})
			s.Commit(historytest.Flag("new", 2), historytest.Deleted("text"))
			e.want("configuration_change", map[string]string{"new": "update", "text": "delete"})
			s.cancel()
			e.want("provider_shutdown", nil)
			if e.stream.Receive() || e.stream.Err() != nil {
				t.Errorf("the stream goes on: %v, %v", e.stream.Msg(), e.stream.Err())
			}
		})
	}
}

// A client with streams without end loses the oldest of them when others need places; it keeps none of the others out and ends none of theirs.
func TestStreamsOfAGreedyClientMakeRoom(t *testing.T) {
	t.Parallel()
	h := historytest.New(t)
	h.Commit(historytest.Flag("a", 1))
	const most = 20
	s := start(t, h, func(o *flagd.Options) { o.MaxStreams = most })
	greedy, modest := dialects()[0], dialects()[2] // which call themselves differently
	var all []*events
	more := func() {
		e := s.events(t, greedy)
		e.want("provider_ready", nil)
		all = append(all, e)
	}
	for range most {
		more()
	}
	other := s.events(t, modest)
	other.want("provider_ready", nil)
	for range most {
		more()
	}
	for _, e := range all[:most+1] {
		if e.stream.Receive() {
			t.Fatalf("an old stream of the greedy client says %s", e.stream.Msg().Type)
		}
		wantCode(t, "an old stream of the greedy client", e.stream.Err(), connect.CodeResourceExhausted)
	}
	h.Commit(historytest.Flag("a", 2))
	other.want("configuration_change", map[string]string{"a": "update"})
	all[len(all)-1].want("configuration_change", map[string]string{"a": "update"})
}

// Streams of documents make room in the same way.
func TestSyncStreamsOfAGreedyClientMakeRoom(t *testing.T) {
	t.Parallel()
	h := historytest.New(t)
	h.Commit(historytest.Flag("a", 1))
	const most = 20
	s := start(t, h, func(o *flagd.Options) { o.MaxStreams = most })
	open := func(d dialect) *connect.ServerStreamForClient[syncv1.SyncFlagsResponse] {
		stream, err := s.syncs(d).SyncFlags(t.Context(), connect.NewRequest(&syncv1.SyncFlagsRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stream.Close() })
		if !stream.Receive() {
			t.Fatalf("a stream begins with %v", stream.Err())
		}
		return stream
	}
	first := open(dialects()[0])
	for range most - 1 {
		open(dialects()[0])
	}
	modest := open(dialects()[2])
	if first.Receive() {
		t.Error("the oldest stream of the greedy client goes on")
	}
	wantCode(t, "the oldest stream of the greedy client", first.Err(), connect.CodeResourceExhausted)
	for range most {
		open(dialects()[0])
	}
	h.Commit(historytest.Flag("b", 1))
	if !modest.Receive() {
		t.Errorf("the stream of the modest client has ended: %v", modest.Err())
	}
}

func TestEventsOfVersion1(t *testing.T) {
	s := newSystem(t)
	stream, err := s.v1(dialects()[0]).EventStream(t.Context(), connect.NewRequest(&evaluationv1.EventStreamRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if !stream.Receive() || stream.Msg().Type != "provider_ready" {
		t.Errorf("event %v, %v", stream.Msg(), stream.Err())
	}
}

func TestAProviderIsReadyWhenThereIsSomethingToEvaluate(t *testing.T) {
	t.Parallel()
	h := historytest.Open(t)
	s := start(t, h)
	began := make(chan *events)
	go func() { began <- s.events(t, dialects()[0]) }()
	h.Begin()
	h.Store.Synced()
	(<-began).want("provider_ready", nil)
}

func TestEventsOfAFlagSet(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	e := s.events(t, dialects()[0], "Flagd-Selector", "flagSetId=web")
	e.want("provider_ready", nil)
	s.Commit(historytest.Flag("other", 1))
	s.Commit(historytest.Flag("grouped", 1)) // leaves the set
	e.want("configuration_change", map[string]string{"grouped": "delete"})
	s.Commit(historytest.Flag("grouped", 1, `"metadata":{"flagSetId":"web"}`), historytest.Flag("other", 2))
	e.want("configuration_change", map[string]string{"grouped": "write"})
}

func TestStalenessIsAnEvent(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	e := s.events(t, dialects()[0])
	e.want("provider_ready", nil)
	s.knowledge.age.Store(int64(time.Minute))
	e.want("configuration_change", map[string]string{"bounded": "update"})
	s.knowledge.age.Store(0)
	e.want("configuration_change", map[string]string{"bounded": "update"})
}

func TestAStreamEndsWithItsDeadline(t *testing.T) {
	s := newSystem(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	stream, err := s.v2(dialects()[0]).EventStream(ctx, connect.NewRequest(&evaluationv2.EventStreamRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for stream.Receive() {
	}
	wantCode(t, "stream", stream.Err(), connect.CodeDeadlineExceeded)
}
