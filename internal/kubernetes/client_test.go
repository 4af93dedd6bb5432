package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/kubernetestest"
)

func secret(name, value string) kubernetes.Secret {
	return kubernetes.Secret{
		Metadata: kubernetes.Metadata{Namespace: "a", Name: name, Labels: map[string]string{"l": "v"}},
		Type:     kubernetes.TypeOpaque, Data: map[string][]byte{"token": []byte(value)},
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	c := kubernetestest.Start(t, "a").Client(t)
	ctx := t.Context()
	if _, err := c.Secret(ctx, "a", "x"); !errors.Is(err, kubernetes.ErrNotFound) || !strings.Contains(err.Error(), `read Secret a/x: the API server answers 404: secrets "x" not found`) {
		t.Errorf("what is not there: %v", err)
	}
	made, err := c.Create(ctx, secret("x", "one"))
	if err != nil {
		t.Fatal(err)
	}
	read, err := c.Secret(ctx, "a", "x")
	if diff := cmp.Diff(made, read); diff != "" || err != nil || string(read.Data["token"]) != "one" || read.Metadata.ResourceVersion == "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := c.Create(ctx, secret("x", "two")); !errors.Is(err, kubernetes.ErrConflict) || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("what is there: %v", err)
	}
	read.Data["token"] = []byte("three")
	if _, err := c.Update(ctx, read); err != nil {
		t.Error(err)
	}
	if _, err := c.Update(ctx, read); !errors.Is(err, kubernetes.ErrConflict) || !strings.Contains(err.Error(), "modified") {
		t.Errorf("what has changed: %v", err)
	}
	if _, err := c.Update(ctx, secret("x", "four")); err == nil || !strings.Contains(err.Error(), "not read before") {
		t.Errorf("what was not read: %v", err)
	}
	elsewhere := secret("x", "one")
	elsewhere.Metadata.Namespace = "b"
	if _, err := c.Create(ctx, elsewhere); !errors.Is(err, kubernetes.ErrNotFound) || !strings.Contains(err.Error(), `namespaces "b" not found`) {
		t.Errorf("a namespace that is not there: %v", err)
	}
	if s, err := c.Secret(ctx, "a", "x"); string(s.Data["token"]) != "three" || err != nil {
		t.Errorf("the Secret is %q, %v", s.Data, err)
	}
}

// What the client does not know of a Secret stays.
func TestUpdateKeepsTheRest(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "a")
	c := s.Client(t)
	given := secret("x", "one")
	given.Rest = []byte(`{"stringMap":{"n":[1,2.5]}}`)
	given.Metadata.Rest = []byte(`{"ownerReferences":[{"name":"o"}],"finalizers":["f"]}`)
	if _, err := c.Create(t.Context(), given); err != nil {
		t.Fatal(err)
	}
	read, err := c.Secret(t.Context(), "a", "x")
	if err != nil {
		t.Fatal(err)
	}
	read.Data["more"] = []byte("two")
	if _, err := c.Update(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	now := s.Secrets(t)["a/x"]
	for _, kept := range []string{`"ownerReferences":[{"name":"o"}]`, `"finalizers":["f"]`, `"uid":`, `"creationTimestamp":`} {
		if !strings.Contains(string(now.Metadata.Rest), kept) {
			t.Errorf("the metadata %s lack %s", now.Metadata.Rest, kept)
		}
	}
	if !strings.Contains(string(now.Rest), `"stringMap":{"n":[1,2.5]}`) || len(now.Data) != 2 || now.Metadata.Labels["l"] != "v" {
		t.Errorf("the Secret lacks something: %s", now.Rest)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "a")
	o := s.Options()
	o.DryRun = true
	c, err := kubernetes.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), secret("x", "one")); err != nil || s.Writes() != 0 {
		t.Errorf("%v, %d writes", err, s.Writes())
	}
}

// The token is read for each request, because Kubernetes replaces it.
func TestTokenIsReadAgain(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "a")
	c := s.Client(t)
	token, err := os.ReadFile(s.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(s.TokenFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("former")
	if _, err := c.Create(t.Context(), secret("x", "one")); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "former") {
		t.Errorf("another token: %v", err)
	}
	for _, none := range []string{"", "a b", "a\nb"} {
		write(none)
		if _, err := c.Create(t.Context(), secret("x", "one")); err == nil || !strings.Contains(err.Error(), s.TokenFile+" has none") {
			t.Errorf("%q: %v", none, err)
		}
	}
	write(string(token))
	if _, err := c.Create(t.Context(), secret("x", "one")); err != nil {
		t.Error(err)
	}
}

// answering returns a client of a server that answers in one way.
func answering(t *testing.T, answer http.HandlerFunc) *kubernetes.Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c, err := kubernetes.New(kubernetes.Options{URL: s.URL, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Errors tell what the API server says, and never what was sent.
func TestErrorsTellNothingSecret(t *testing.T) {
	t.Parallel()
	status := func(code int, reason, message string) string {
		text, err := json.Marshal(map[string]any{"kind": "Status", "apiVersion": "v1", "reason": reason, "message": message, "code": code})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const hidden = "c2VjcmV0" // what is sent, in base64
	f := func(code int, body, want string, is error) {
		t.Helper()
		c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		})
		_, err := c.Create(t.Context(), secret("x", "secret"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), hidden) || strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 700 {
			t.Errorf("%d %s: %v, want %q", code, body, err, want)
		}
		for _, kind := range []error{kubernetes.ErrNotFound, kubernetes.ErrConflict, kubernetes.ErrForbidden} {
			if errors.Is(err, kind) != errors.Is(is, kind) {
				t.Errorf("%v is %v: %v", err, kind, errors.Is(err, kind))
			}
		}
	}
	f(403, status(403, "Forbidden", `secrets is forbidden: User "u" cannot create`), "answers 403: secrets is forbidden", kubernetes.ErrForbidden)
	f(404, status(404, "NotFound", "no"), "answers 404: no", kubernetes.ErrNotFound)
	f(409, status(409, "AlreadyExists", "a\nb\x1b["), "answers 409: a b [", kubernetes.ErrConflict)
	f(422, status(422, "Invalid", strings.Repeat("x", 4000)), "answers 422: xxx", nil)
	f(400, status(400, "BadRequest", "cannot decode "+hidden), "answers 400 (BadRequest)", nil)
	f(400, status(400, "BadRequest", `admission webhook "w" denied the request: no`), "denied the request", nil)
	f(500, status(500, "InternalError", "cannot store "+hidden), "answers 500 (InternalError)", nil)
	f(404, "<html>"+hidden, "answer 404, which is not one of a Kubernetes API server", nil)
	f(409, `{"kind":"Secret","reason":"`+hidden+`"}`, "answer 409, which is not one", nil)
	f(307, "", "answer 307, which is not one", nil)
	f(200, hidden, "it is not JSON", nil)
	f(200, `{"data":{"token":"`+hidden+`!"}}`, `no Secret: see "/data/token"`, nil)
	f(200, `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x","namespace":"a"}}`, `"Pod" of "v1"`, nil)
	f(200, `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"y","namespace":"a"}}`, `"a/y", which was not asked for`, nil)
	f(200, `{"x":"`+strings.Repeat("x", 5<<20)+`"}`, "more than 4194304 bytes", nil)
}

// A redirection is not followed: the token is for the API server alone.
func TestRedirectionsAreNotFollowed(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Header.Get("Authorization") }))
	t.Cleanup(other.Close)
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	if _, err := c.Secret(t.Context(), "a", "x"); err == nil {
		t.Error("a redirection is a success")
	}
	select {
	case header := <-asked:
		t.Errorf("another server was asked with %q", header)
	default:
	}
}

func TestRequestsEnd(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(release) })
	c, err := kubernetes.New(kubernetes.Options{URL: s.URL, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Secret(t.Context(), "a", "x"); err == nil {
		t.Error("there is an answer")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Secret(ctx, "a", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that is given up: %v", err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	f := func(url, want string) {
		t.Helper()
		err := kubernetes.Options{URL: url}.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	f("https://10.96.0.1:443", "")
	f("https://api.example/clusters/one", "")
	f("http://127.0.0.1:8001", "")
	f("http://localhost:8001", "")
	f("http://10.96.0.1", "must begin with https://")
	f("", "such as")
	f("https://user:password@api.example", "such as")
	f("unix:/x", "such as")

	o, err := kubernetes.InCluster(func(name string) (string, bool) {
		return map[string]string{"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}[name], true
	})
	if err != nil || o.URL != "https://[fd00::1]:443" || !strings.HasSuffix(o.TokenFile, "/token") || !strings.HasSuffix(o.CAFile, "/ca.crt") {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := kubernetes.InCluster(func(string) (string, bool) { return "", false }); !errors.Is(err, kubernetes.ErrOutside) {
		t.Errorf("outside: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(empty, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + "x"} {
		if _, err := kubernetes.New(kubernetes.Options{URL: "https://10.96.0.1", CAFile: file}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// An API server with a certificate of another authority gets no token.
func TestServerIsVerified(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "a")
	o := s.Options()
	o.CAFile = ""
	c, err := kubernetes.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Secret(t.Context(), "a", "x"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	s := secret("x", "hidden")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, value := range []any{s, &s, []kubernetes.Secret{s}, struct{ S kubernetes.Secret }{s}} {
			if text := fmt.Sprintf(format, value); strings.Contains(text, "hidden") || strings.Contains(text, "104") {
				t.Errorf("%s prints %s", format, text)
			}
		}
	}
}
