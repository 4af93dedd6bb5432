package publisher_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

// following is an open event stream.
type following struct {
	t     *testing.T
	body  io.ReadCloser
	lines *bufio.Scanner
}

// follow opens the event stream of what happens in prod.
func (r *running) follow(t *testing.T, secret, lastEventID string) *following {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/api/v1/environments/prod/activity/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := r.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if media := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || media != api.EventStreamMedia {
		t.Fatalf("%d, %s", response.StatusCode, media)
	}
	f := &following{t, response.Body, bufio.NewScanner(response.Body)}
	if !f.lines.Scan() || !strings.HasPrefix(f.lines.Text(), ":") {
		t.Fatalf("it begins with %q: %v", f.lines.Text(), f.lines.Err())
	}
	return f
}

// next waits for an event.
func (f *following) next() (id string, item api.Event) {
	f.t.Helper()
	for f.lines.Scan() {
		name, value, _ := strings.Cut(f.lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &item); err != nil {
				f.t.Fatalf("%s: %v", value, err)
			}
			return id, item
		}
	}
	f.t.Fatalf("the stream ended: %v", f.lines.Err())
	return "", item
}

// The event stream tells what happens at another publisher too, in its order, and goes on where it was left.
func TestFollowingTheActivity(t *testing.T) {
	t.Parallel()
	one, other := governedTwice(t)
	f := one.follow(t, secretOf("viewer"), "")
	opened := other.propose("f", "")
	if _, err := other.as(secretOf("approver")).ApproveRequest(t.Context(), "prod", opened.ID, opened.Hash, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.as(secretOf("editor")).ApplyRequest(t.Context(), "prod", opened.ID, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]string)
	for len(seen) < 5 {
		id, item := f.next()
		if item.Request != opened.ID || len(item.Documents) != 1 || item.Documents[0].Key != "f" {
			t.Errorf("%+v is not about the request", item)
		}
		seen[item.Type] = id
	}
	for _, want := range []string{"request.opened", "request.approved", "request.claimed", "change", "request.applied"} {
		if seen[want] == "" {
			t.Errorf("%s did not come: %v", want, seen)
		}
	}
	_ = f.body.Close()
	other.overrule("g")
	for event, err := range other.as(secretOf("viewer")).FollowActivity(t.Context(), "prod", seen["request.opened"]) {
		if err != nil {
			t.Fatal(err)
		}
		if event.Type == "change" && event.Documents[0].Key == "g" {
			break // what happened meanwhile
		}
	}
}

// overrule makes a flag without consent.
func (r *running) overrule(key string) {
	r.t.Helper()
	put := api.Command{Type: "put", Key: key, IfAbsent: true, Document: []byte(offDocument)}
	opened, err := r.as(secretOf("admin")).OpenRequest(r.t.Context(), "prod", api.NewRequest{Command: put, BreakGlass: true}, api.ChangeHeaders{Reason: "now"})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.as(secretOf("admin")).ApplyRequest(r.t.Context(), "prod", opened.ID, api.ChangeHeaders{Reason: "now"}); err != nil {
		r.t.Fatal(err)
	}
}

// A stream ends when the token of its reader does.
func TestFollowingEndsWithTheToken(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("prod")
	owner := r.as(secretOf("admin"))
	created, err := owner.CreateToken(t.Context(), api.NewToken{Name: "for a while", Groups: []string{access.RoleViewer}}, api.AdministrationHeaders{})
	if err != nil {
		t.Fatal(err)
	}
	f := r.follow(t, created.Secret, "")
	if _, err := owner.RevokeToken(t.Context(), created.Token.ID, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	for f.lines.Scan() {
		continue
	}
	if err := f.lines.Err(); err != nil {
		t.Errorf("it broke off: %v", err)
	}
}

// One principal follows with a quarter of the streams at most, so that others get in.
func TestOnePrincipalDoesNotTakeAllStreams(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("prod")
	for range 16 {
		r.follow(t, secretOf("viewer"), "")
	}
	got := r.ask(http.MethodGet, "/api/v1/environments/prod/activity/events", "", "Authorization", "Bearer "+secretOf("viewer"))
	if got.status != http.StatusServiceUnavailable {
		t.Errorf("the stream after a quarter of them: %d %s", got.status, got.body)
	}
	r.follow(t, secretOf("approver"), "")
}
