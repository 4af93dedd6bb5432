package ofrep_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/historytest"
	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/waiting"
)

func never(*eval.Flag) bool { return false }

// startStreams runs a server with event streams over the store.
func startStreams(t testing.TB, store *cache.Store, most int, adjust ...func(*ofrep.Options)) *system {
	t.Helper()
	feed := startFeed(t, store, never)
	return start(t, store, func(o *ofrep.Options) {
		o.Feed, o.MaxStreams = feed, most
		for _, do := range adjust {
			do(o)
		}
	})
}

// startFeed runs a feed that knows the present view of the store.
func startFeed(t testing.TB, store *cache.Store, stale func(*eval.Flag) bool) *changes.Feed {
	t.Helper()
	feed := changes.New(store, stale)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- feed.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	waiting.Until(t, "a view in the feed", func() bool {
		subscription, view := feed.Subscribe()
		subscription.Close()
		return view != nil
	})
	return feed
}

// listen opens an event stream and returns its lines once it is open.
func listen(t testing.TB, s *system, query string, header http.Header) *bufio.Scanner {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/ofrep/v1/sse"+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		response.Body.Close()
	})
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	if response.Header.Get("X-Accel-Buffering") != "no" {
		t.Error("nginx may hold events back")
	}
	return bufio.NewScanner(response.Body)
}

// next returns the next line with the prefix, "" if the stream ends before.
func next(lines *bufio.Scanner, prefix string) string {
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), prefix) {
			return lines.Text()
		}
	}
	return ""
}

const refetch = `data: {"type":"refetchEvaluation","etag":"`

func TestBulkAnswersNameTheStream(t *testing.T) {
	s := startStreams(t, load(t, flags, ""), 0)
	for selector, want := range map[string]string{
		"": `"/ofrep/v1/sse"`, "flagSetId=a b&c": `"/ofrep/v1/sse?channels=a+b%26c"`, "flagSetId=": `"/ofrep/v1/sse?channels="`,
	} {
		_, body := ask(t, s, http.MethodPost, bulkPath, "{}", http.Header{"Flagd-Selector": {selector}})
		if want = `,"eventStreams":[{"type":"sse","endpoint":{"requestUri":` + want + `},"inactivityDelaySec":120}]}`; !strings.HasSuffix(body, want) {
			t.Errorf("%q: %s", selector, body)
		}
	}
}

func TestStreamsTellOfTheirFlags(t *testing.T) {
	h := historytest.New(t)
	const ofWeb, ofApp = `"metadata":{"flagSetId":"web"}`, `"metadata":{"flagSetId":"app"}`
	h.Commit(historytest.Flag("plain", 1), historytest.Flag("grouped", 1, ofWeb))
	s := startStreams(t, h.Store, 0)
	every, web := listen(t, s, "", nil), listen(t, s, "?channels=web", nil)
	next(every, ": open")
	next(web, ": open")
	h.Commit(historytest.Flag("plain", 2))
	if id := next(every, "id: "); id != "id: "+h.Store.View().Position().Token().String() {
		t.Errorf("event %q", id)
	}
	if data := next(every, "data: "); !strings.HasPrefix(data, refetch) {
		t.Errorf("event %q", data)
	}
	h.Commit(historytest.Flag("grouped", 1, ofApp))
	if id := next(web, "id: "); id != "id: "+h.Store.View().Position().Token().String() {
		t.Errorf("the flag left the set: event %q, which may be of another flag", id)
	}
	s.stop()
	if more := next(web, "id: "); more != "" {
		t.Errorf("one event too many: %q", more)
	}
}

// A client comes for the first time with an answer that may be older than the stream.
func TestAStreamBeginsWithTheStateThereIs(t *testing.T) {
	h := historytest.New(t)
	h.Commit(historytest.Flag("plain", 1))
	lines := listen(t, startStreams(t, h.Store, 0), "", nil)
	if got, want := next(lines, "data: "), refetch+h.Store.View().Position().Token().String()+`"}`; got != want {
		t.Errorf("the first event is %q, want %q", got, want)
	}
}

func TestAStreamGoesOnWhereItEnded(t *testing.T) {
	s := startStreams(t, load(t, flags, ""), 0)
	missed := listen(t, s, "", http.Header{"Last-Event-Id": {"00000000-77"}})
	id := strings.TrimPrefix(next(missed, "id: "), "id: ")
	if id == "" {
		t.Fatal("no event about what was missed")
	}
	current := listen(t, s, "", http.Header{"Last-Event-Id": {id}})
	current.Scan()
	if current.Text() != ": open" {
		t.Errorf("%q for a client that missed nothing", current.Text())
	}
}

// A client with streams without end loses the oldest of them when others need places, which it gets again when it comes back; it keeps none of the
// others out and ends none of theirs.
func TestStreamsOfAGreedyClientMakeRoom(t *testing.T) {
	h := historytest.New(t)
	h.Commit(historytest.Flag("a", 1))
	const most = 20
	s := startStreams(t, h.Store, most)
	agent := func(name string) http.Header { return http.Header{"User-Agent": {name}} }
	var greedy []*bufio.Scanner
	more := func() {
		lines := listen(t, s, "", agent("greedy"))
		next(lines, ": open")
		greedy = append(greedy, lines)
	}
	for range most {
		more()
	}
	modest := listen(t, s, "", agent("modest"))
	if next(modest, ": open") == "" {
		t.Fatal("a client that has no stream gets none")
	}
	for range 2 * most {
		more()
	}
	for i, lines := range greedy[:2*most+1] {
		if more := next(lines, "data: "); more != "" {
			t.Errorf("stream %d of the greedy client goes on: %q", i, more)
		}
	}
	h.Commit(historytest.Flag("a", 2))
	if next(modest, "data: ") == "" {
		t.Error("the stream of the modest client has ended")
	}
	if next(greedy[len(greedy)-1], "data: ") == "" {
		t.Error("the newest stream of the greedy client has ended")
	}
	if n := s.counter("flagside_http_connections_refused_total"); n != 2*most+1 {
		t.Errorf("%v streams that ended are counted", n)
	}
}

func TestStreamsAreNoConnections(t *testing.T) {
	s := startStreams(t, load(t, flags, ""), 1)
	next(listen(t, s, "", nil), ": open")
	if response, _ := ask(t, s, http.MethodPost, bulkPath, "{}", nil); response.StatusCode != 200 {
		t.Errorf("evaluation beside streams: %d", response.StatusCode)
	}
	if response, body := ask(t, s, http.MethodPost, "/ofrep/v1/sse", "", nil); response.StatusCode != 405 || response.Header.Get("Allow") != "GET" {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}
