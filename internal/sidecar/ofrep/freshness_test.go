package ofrep_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/sync/changelog"
)

// log is a log whose barriers succeed or not, and in which nothing new ever comes.
type log struct {
	cut       bool
	confirmed time.Time // zero if never
}

func (l log) Age() (age time.Duration, known bool) {
	return time.Since(l.confirmed), !l.confirmed.IsZero()
}

func (l log) Barrier(context.Context) error {
	if l.cut {
		return errors.New("the log is cut off")
	}
	return nil
}

func (l log) Wait(ctx context.Context, _ changelog.Token) error {
	<-ctx.Done()
	return ctx.Err()
}

// demanding returns a store with one flag for each way to do without fresh knowledge, at the fifth revision of its epoch.
func demanding(t *testing.T) *cache.Store {
	t.Helper()
	store := empty(t)
	at := changelog.Position{Epoch: changelog.NewEpoch(time.Now(), "")}
	for _, e := range []changelog.Entry{
		{Kind: document.KindEpoch, Key: document.EpochKey},
		{Kind: document.KindFlag, Key: "default", Put: []byte(`{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b",
			"targeting":{"if":[true,"a",null]},"freshness":"always_fresh","onUnreachable":"default_variant"}`)},
		{Kind: document.KindFlag, Key: "error", Put: []byte(`{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a",
			"freshness":"always_fresh","onUnreachable":"error"}`)},
		{Kind: document.KindFlag, Key: "lax", Put: []byte(`{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a"}`)},
		{Kind: document.KindFlag, Key: "stale", Put: []byte(`{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a",
			"freshness":"always_fresh"}`)},
	} {
		at.Revision++
		at.Digest = changelog.Sum([]byte(e.Key))
		e.Epoch, e.Revision, e.Index, e.Count = at.Epoch, at.Revision, 1, 1
		if err := store.Apply([]changelog.Transaction{{{Entry: e, Digest: at.Digest}}}); err != nil {
			t.Fatal(err)
		}
	}
	store.Synced()
	return store
}

// startFollowing is start for a server that follows a log and waits little.
func startFollowing(t *testing.T, l log) (*system, changelog.Position) {
	t.Helper()
	store := demanding(t)
	return start(t, store, func(o *ofrep.Options) {
		r, err := resolver.New(resolver.Options{
			Views: store, Log: l, Deadline: 50 * time.Millisecond, Metrics: prometheus.NewRegistry(),
		})
		if err != nil {
			t.Fatal(err)
		}
		o.Resolver = r
	}), store.Position()
}

func TestRequiredRevisions(t *testing.T) {
	s, at := startFollowing(t, log{})
	later := changelog.Position{Epoch: at.Epoch, Revision: at.Revision + 1}
	other := changelog.Position{Epoch: changelog.NewEpoch(time.Now(), ""), Revision: 1}
	for _, test := range []struct {
		name, header string
		status       int
		details      string
	}{
		{"there", "Flagside-Min-Revision: " + at.Token().String(), http.StatusOK, ""},
		{"not there in time", "flagside-min-revision: " + later.Token().String(), http.StatusGatewayTimeout, "not applied in time"},
		{"another history", "Flagside-Min-Revision: " + other.Token().String(), http.StatusPreconditionFailed, "another history"},
		{"no revision", "Flagside-Min-Revision: 5", http.StatusBadRequest, "Flagside-Min-Revision"},
		{"fresh", "Flagside-Freshness: always_fresh", http.StatusOK, ""},
		{"no strategy", "Flagside-Freshness: always", http.StatusBadRequest, "Flagside-Freshness"},
	} {
		for _, path := range []string{"/ofrep/v1/evaluate/flags/lax", "/ofrep/v1/evaluate/flags"} {
			got := s.do(http.MethodPost, path, "{}", test.header)
			details, _ := got.body["errorDetails"].(string)
			if got.status != test.status || !strings.Contains(details, test.details) {
				t.Errorf("%s, %s: %d %v", test.name, path, got.status, got.body)
			}
			if got.status != http.StatusOK && (got.body["errorCode"] != "GENERAL" || got.body["metadata"] == nil) {
				t.Errorf("%s, %s: %v is no failure of OFREP", test.name, path, got.body)
			}
		}
	}
}

// A flag that could not be confirmed follows its own onUnreachable, alone and among others.
func TestUnconfirmedFlags(t *testing.T) {
	s, _ := startFollowing(t, log{cut: true, confirmed: time.Now().Add(-time.Minute)})
	type shape struct {
		Status            int
		Value             any
		Reason, ErrorCode any
		Since, Age        bool
	}
	shapeOf := func(status int, item map[string]any) shape {
		metadata, _ := item["metadata"].(map[string]any)
		_, since := metadata["staleSince"].(string)
		age, hasAge := metadata["ageSeconds"].(float64)
		if hasAge && (age < 60 || age > 60+patience.Seconds()) {
			t.Errorf("age %v", age)
		}
		return shape{status, item["value"], item["reason"], item["errorCode"], since, hasAge}
	}
	want := map[string]shape{
		"default": {200, 2.0, "STALE", nil, true, true},
		"error":   {400, nil, nil, "GENERAL", true, true},
		"lax":     {200, 1.0, "STATIC", nil, false, false},
		"stale":   {200, 1.0, "STALE", nil, true, true},
	}
	got := map[string]shape{}
	for key := range want {
		answer := s.do(http.MethodPost, "/ofrep/v1/evaluate/flags/"+key, "{}")
		got[key] = shapeOf(answer.status, answer.body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("single (-want +got):\n%s", diff)
	}
	for key, shape := range want {
		shape.Status, shape.Age = http.StatusOK, false
		want[key] = shape
	}
	answer := s.do(http.MethodPost, "/ofrep/v1/evaluate/flags", "{}")
	items, _ := answer.body["flags"].([]any)
	for _, item := range items {
		item := item.(map[string]any)
		got[item["key"].(string)] = shapeOf(answer.status, item)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(items) != len(want) {
		t.Errorf("bulk (-want +got):\n%s", diff)
	}
	if again := s.do(http.MethodPost, "/ofrep/v1/evaluate/flags", "{}"); !cmp.Equal(answer.body, again.body) {
		t.Errorf("the same question again:\n%s", cmp.Diff(answer.body, again.body))
	}
}

// A request may demand of a flag what its document does not.
func TestRequestsDemandMore(t *testing.T) {
	s, _ := startFollowing(t, log{cut: true, confirmed: time.Now()})
	if got := s.do(http.MethodPost, "/ofrep/v1/evaluate/flags/lax", "{}", "Flagside-Freshness: always_fresh"); got.body["reason"] != "STALE" {
		t.Errorf("got %v", got.body)
	}
}
