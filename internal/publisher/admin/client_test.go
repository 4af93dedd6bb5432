package admin_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/admin"
)

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "127.0.0.1:8017", "localhost", "ftp://127.0.0.1:8017", "http://", "http://h/path", "http://h:port", "://",
		"http://user:secret@127.0.0.1:8017", "http://127.0.0.1:8017?a=b", "http://127.0.0.1:8017#a",
	} {
		_, err := admin.NewClient(admin.ClientOptions{Address: address})
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
		client, err := admin.NewClient(admin.ClientOptions{Address: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Environments(t.Context())
		return err
	}
	err := ask(503, "application/problem+json",
		`{"type":"urn:flagside:problem:undecided","title":"Service Unavailable","status":503,"detail":"Wait.","opId":"X",`+
			`"errors":[{"kind":"flag","key":"a","pointer":"/state","reason":"is wrong","hint":"mend it"}]}`)
	problem, ok := errors.AsType[*admin.Problem](err)
	if !ok || problem.OpID != "X" || problem.Error() != "Wait.\nflag a /state: is wrong (mend it)" {
		t.Errorf("a problem is %v", err)
	}
	if err := ask(404, "text/html", "<html>"); err == nil || !strings.Contains(err.Error(), "is no publisher") {
		t.Errorf("another server is %v", err)
	}
	if err := ask(200, "application/json", "<html>"); err == nil {
		t.Error("text is taken for environments")
	}
	client, err := admin.NewClient(admin.ClientOptions{Address: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Environments(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("no one is %v", err)
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
		client, err := admin.NewClient(admin.ClientOptions{Address: server.URL, Token: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			_, err = client.Do(t.Context(), admin.Call{Method: method, Path: []string{"environments"}, Body: []byte("{}")})
			if err == nil || !strings.Contains(err.Error(), "is no publisher") {
				t.Errorf("%s, redirected with %d: %v", method, status, err)
			}
		}
		server.Close()
	}
}
