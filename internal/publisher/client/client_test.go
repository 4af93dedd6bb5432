package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/sync/changelog"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "127.0.0.1:8017", "localhost", "ftp://127.0.0.1:8017", "http://", "http://h/path", "http://h:port", "://",
		"http://user:secret@127.0.0.1:8017", "http://127.0.0.1:8017?a=b", "http://127.0.0.1:8017#a",
	} {
		_, err := client.New(client.Options{Address: address})
		if err == nil || !strings.Contains(err.Error(), "such as http://127.0.0.1:8017") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want a refusal with an example", address, err)
		}
	}
}

// What goes wrong tells whether the publisher refused, is not there, or is something else.
func TestErrorsOfTheClient(t *testing.T) {
	t.Parallel()
	ask := func(status int, contentType, body string) error {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		defer server.Close()
		c, err := client.New(client.Options{Address: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Environments(t.Context())
		return err
	}
	err := ask(503, "application/problem+json",
		`{"type":"urn:flagside:problem:undecided","title":"Service Unavailable","status":503,"detail":"Wait.","opId":"X",`+
			`"errors":[{"kind":"flag","key":"a","pointer":"/state","reason":"is wrong","hint":"mend it"}]}`)
	problem, ok := errors.AsType[*client.Error](err)
	if !ok || problem.OpID != "X" || problem.Error() != "Wait.\nflag a /state: is wrong (mend it)" {
		t.Errorf("a problem is %v", err)
	}
	if err := ask(404, "text/html", "<html>"); err == nil || !strings.Contains(err.Error(), "is not a publisher") {
		t.Errorf("another server is %v", err)
	}
	if err := ask(200, "application/json", "<html>"); err == nil {
		t.Error("text is taken for environments")
	}
	c, err := client.New(client.Options{Address: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Environments(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("a closed port: %v", err)
	}
}

// A redirection is no answer of a publisher, and the token goes nowhere else.
func TestTheClientFollowsNoRedirection(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent on, with %q", r.Method, r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		c, err := client.New(client.Options{Address: server.URL, Token: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{
			"a read":   second(c.Environments(t.Context())),
			"a change": second(c.CreateEnvironment(t.Context(), api.NewEnvironment{Name: "prod"}, api.AdministrationHeaders{})),
			"a stream": second(c.ExportAudit(t.Context(), "prod", false)),
		} {
			if err == nil || !strings.Contains(err.Error(), "is not a publisher") {
				t.Errorf("%s, redirected with %d: %v", name, status, err)
			}
		}
		server.Close()
	}
}

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }

// A connection that was closed meanwhile is replaced for what may be sent twice, and for nothing else.
func TestOnlyWhatIsSafeIsSentAgain(t *testing.T) {
	t.Parallel()
	f := func(name string, again bool, call func(*client.Client) error) {
		var sent atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if sent.Add(1) == 2 {
				panic(http.ErrAbortHandler) // on a connection that was used before
			}
			_, _ = io.WriteString(w, "{}")
		}))
		defer server.Close()
		c, err := client.New(client.Options{Address: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.WhoAmI(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = call(c)
		if lost, ok := errors.AsType[*client.Unanswered](err); (err == nil) != again || ok == again || ok && !lost.Undecided {
			t.Errorf("%s: %v after %d requests, want that it is sent again: %t", name, err, sent.Load(), again)
		}
	}
	n := api.NewRequest{}
	f("a read", true, func(c *client.Client) error { return second(c.Environments(t.Context())) })
	f("a change", false, func(c *client.Client) error {
		return second(c.OpenRequest(t.Context(), "prod", n, api.ChangeHeaders{}))
	})
	f("a change with a key", true, func(c *client.Client) error {
		return second(c.OpenRequest(t.Context(), "prod", n, api.ChangeHeaders{IdempotencyKey: "k"}))
	})
}

// A failure says what was asked for, so that it can be repeated, and whether it can have changed anything.
func TestFailuresSayWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	unanswered, err := client.New(client.Options{Address: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	id := document.ID{Kind: document.KindSegment, Key: "a/b"}
	seen := client.Precondition{Match: changelog.Token{Epoch: "0a1b2c3d", Revision: 7}}
	lost, ok := errors.AsType[*client.Unanswered](second(unanswered.Delete(t.Context(), "prod", id, seen, api.ChangeHeaders{IdempotencyKey: "k"})))
	want := client.Call{Environment: "prod", Document: id, Precondition: seen, IdempotencyKey: "k"}
	if !ok || lost.Undecided || lost.Call != want {
		t.Errorf("a change that was not sent: %+v", lost)
	}
	hangsUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer hangsUp.Close()
	c, err := client.New(client.Options{Address: hangsUp.URL})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err       error
		undecided bool
	}{
		"a change":    {second(c.Delete(t.Context(), "prod", id, seen, api.ChangeHeaders{})), true},
		"a read":      {second(c.Ledger(t.Context(), "prod", api.LedgerQuery{})), false},
		"a preview":   {second(c.Preview(t.Context(), "prod", api.Command{})), false},
		"a question":  {second(c.CheckPolicy(t.Context(), api.PolicyQuestion{})), false},
		"a dry run":   {second(c.RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{DryRun: true}, api.RestoreHeaders{})), false},
		"a new epoch": {second(c.RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{}, api.RestoreHeaders{})), true},
	} {
		if lost, ok := errors.AsType[*client.Unanswered](c.err); !ok || lost.Undecided != c.undecided || lost.Unwrap() == nil {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

// Headers and queries have what the caller gave, and nothing that was not given.
func TestParameters(t *testing.T) {
	t.Parallel()
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent []string
		for _, name := range []string{
			"Authorization", "Content-Type", "If-Match", "If-None-Match", "Flagside-Reason", "Idempotency-Key", "Flagside-Break-Glass", "Last-Event-Id",
		} {
			if value := r.Header.Get(name); value != "" {
				sent = append(sent, name+": "+value)
			}
		}
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprint(r.Method, " ", r.URL, " ", strings.Join(sent, ", "), " ", string(body))
		w.Header().Set("ETag", `"0a1b2c3d-8"`)
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	c, err := client.New(client.Options{Address: server.URL, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(err error, want string) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("got  %s (%v)\nwant %s", got, err, want)
		}
	}
	ctx, flag := t.Context(), document.ID{Kind: document.KindFlag, Key: "a/ü%2F"}
	seen, err := client.Match(`"0a1b2c3d-7"`)
	if err != nil {
		t.Fatal(err)
	}
	_, next, err := c.Put(ctx, "prod", flag, []byte(`{ "x":1}`), seen, api.ChangeHeaders{Reason: "why", IdempotencyKey: "k"})
	f(err, `PUT /api/v1/environments/prod/flags/a%2F%C3%BC%252F Authorization: Bearer t, Content-Type: application/json, If-Match: "0a1b2c3d-7", `+
		`Flagside-Reason: why, Idempotency-Key: k { "x":1}`)
	if next.Revision() != "0a1b2c3d-8" {
		t.Errorf("the next precondition is %+v", next)
	}
	_, _, err = c.Put(ctx, "prod", document.ID{Kind: document.KindSettings}, []byte("{}"), client.Precondition{Absent: true}, api.ChangeHeaders{})
	f(err, `PUT /api/v1/environments/prod/settings Authorization: Bearer t, Content-Type: application/json, If-None-Match: * {}`)
	f(second(c.Patch(ctx, "prod", document.ID{Kind: document.KindSegment, Key: ".."}, []byte("{}"), seen, api.ChangeHeaders{})),
		`PATCH /api/v1/environments/prod/segments/%2E%2E Authorization: Bearer t, Content-Type: application/merge-patch+json, If-Match: "0a1b2c3d-7" {}`)
	f(second(c.Ledger(ctx, "prod", api.LedgerQuery{})), `GET /api/v1/environments/prod/ledger Authorization: Bearer t `)
	f(second(c.Ledger(ctx, "prod", api.LedgerQuery{Limit: 5, Before: 9, Actor: "a&b", Since: time.Unix(0, 1).UTC()})),
		`GET /api/v1/environments/prod/ledger?actor=a%26b&before=9&limit=5&since=1970-01-01T00%3A00%3A00.000000001Z Authorization: Bearer t `)
	f(second(c.RestoreEnvironment(ctx, "prod", []byte("S"), api.RestoreQuery{Part: true},
		api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: "why"}, BreakGlass: true})),
		`POST /api/v1/environments/prod/restore?part=true Authorization: Bearer t, Content-Type: application/octet-stream, Flagside-Reason: why, Flagside-Break-Glass: true S`)
	f(second(c.Archive(ctx, "prod", flag, false, seen, api.ChangeHeaders{})),
		`POST /api/v1/environments/prod/flags/a%2F%C3%BC%252F/archive Authorization: Bearer t, Content-Type: application/json, If-Match: "0a1b2c3d-7" {}`)
	f(second(c.Explain(ctx, "a/b", []byte(`{"n":1.50}`))), `POST /explain/a%2Fb Authorization: Bearer t, Content-Type: application/json {"context":{"n":1.50}}`)
}

// An event stream is read event by event, and its end is an error.
func TestFollowActivity(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Last-Event-ID") != "1-1" || r.URL.Path != "/api/v1/environments/prod/activity/events" {
			t.Errorf("%s behind %s", r.URL, r.Header.Get("Last-Event-ID"))
		}
		_, _ = io.WriteString(w, ": hello\n\nid: 1-2\nevent: activity\ndata: {\"type\":\"change\"}\n\n: quiet\n\nid: 2-2\nevent: activity\ndata: {\"type\":\"refused\"}\n\n")
	}))
	defer server.Close()
	c, err := client.New(client.Options{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for event, err := range c.FollowActivity(t.Context(), "prod", "1-1") {
		got = append(got, fmt.Sprint(event.ID, event.Type, err))
	}
	if diff := cmp.Diff([]string{"1-2change<nil>", "2-2refused<nil>", "EOF"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An answer that is larger than it may be is no answer that was cut off.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/status" {
			w.WriteHeader(http.StatusConflict)
		}
		_, _ = io.WriteString(w, strings.Repeat(" ", 2<<20))
	}))
	defer server.Close()
	c, err := client.New(client.Options{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a page":   second(c.Status(t.Context())),
		"a stream": second(c.ExportAudit(t.Context(), "prod", false)),
	} {
		if _, lost := errors.AsType[*client.Unanswered](err); lost || err == nil || !strings.Contains(err.Error(), "too large") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
