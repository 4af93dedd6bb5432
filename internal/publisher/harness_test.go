package publisher_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
)

// patience is how long a condition may take on a machine that is busy with other tests.
const patience = 30 * time.Second

// running is a publisher that runs in the test.
type running struct {
	*publisher.Publisher

	t       testing.TB
	dataDir string // of the embedded server
	url     string
	ca      string // file with the certificate of the API, if it has one
	client  *client.Client
	http    *http.Client
	stop    func()
	log     *logtest.Log

	clients *sync.Map // of *client.Client by token
}

// skipShort leaves out what does one thing after the other, and much of it: the race detector would take minutes to find nothing there, and go test
// runs it without -short.
func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: one thing after the other, which go test without it does")
	}
}

// start runs a publisher until the test ends, and waits until it is ready.
func start(t testing.TB, o publisher.Options) *running {
	t.Helper()
	r := run(t, o)
	r.awaitReady()
	return r
}

// awaitReady waits until the publisher is ready.
func (r *running) awaitReady() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	if err := r.Ready(ctx); err != nil {
		r.t.Fatalf("%v\n%s", err, r.log)
	}
}

// run runs a publisher until the test ends.
func run(t testing.TB, o publisher.Options) *running {
	t.Helper()
	r := &running{t: t, dataDir: o.DataDir, log: &logtest.Log{}, clients: new(sync.Map), ca: o.AdminCertificate, http: http.DefaultClient}
	if o.AdminAddr == "" {
		o.AdminAddr = "127.0.0.1:0"
	}
	if o.NATS == "" {
		o.NATSAddr = "127.0.0.1:0"
	} else if o.KeysDir == "" {
		o.KeysDir = trusttest.Default().Directory(t)
	}
	o.Logger = zerolog.New(r.log)
	if o.Policy == "" {
		o.Policy = permitEverything(t)
	}
	o.FixedTokens = append(o.FixedTokens, access.FixedToken{Secret: adminSecret, Principal: access.Principal{
		ID: "somebody", Kind: access.KindToken, Groups: []string{access.RoleAdmin},
	}})
	var err error
	if r.Publisher, err = publisher.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the publisher ended with %v\n%s", err, r.log)
		}
	})
	t.Cleanup(r.stop)
	r.url = "http://" + r.AdminAddr().String()
	if r.ca != "" {
		_, port, _ := strings.Cut(strings.TrimPrefix(r.AdminAddr().String(), "[::]"), ":")
		r.url, r.http = "https://127.0.0.1:"+port, trusting(t, r.ca)
	}
	r.client = r.as(adminSecret)
	return r
}

// The tokens of the roles in tests, and of someone who may do everything where everybody may.
const adminSecret = "the-admin-of-these-tests-who-is-to-be-trusted"

// permitEverything is the path of a policy file.
func permitEverything(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "everything.cedar")
	if err := os.WriteFile(file, []byte("permit (principal, action, resource);"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// as returns the client that sends a token. A new one each time would leave more connections behind than a publisher allows.
func (r *running) as(token string) *client.Client {
	r.t.Helper()
	if known, ok := r.clients.Load(token); ok {
		return known.(*client.Client)
	}
	client, err := client.New(client.Options{Address: r.url, Token: token, CAFile: r.ca})
	if err != nil {
		r.t.Fatal(err)
	}
	r.clients.Store(token, client)
	return client
}

// create creates an environment.
func (r *running) create(name string) {
	r.t.Helper()
	if _, err := r.client.CreateEnvironment(r.t.Context(), api.NewEnvironment{Name: name}, api.AdministrationHeaders{}); err != nil {
		r.t.Fatal(err)
	}
}

// put creates a flag, or replaces it if seen says what it is now.
func (r *running) put(environment, key string, body []byte, seen client.Precondition) client.Precondition {
	r.t.Helper()
	_, next, err := r.client.Put(r.t.Context(), environment, flagID(key), body, seen, api.ChangeHeaders{})
	if err != nil {
		r.t.Fatalf("put %s: %v", key, err)
	}
	return next
}

// await waits until the condition holds.
func (r *running) await(what string, condition func() bool) {
	r.t.Helper()
	waiting.Until(r.t, what, condition, r.log)
}

// answer is what came back from the API.
type answer struct {
	status  int
	header  http.Header
	body    string
	problem api.Problem
}

// ask sends a request; headers come in pairs.
func (r *running) ask(method, path, body string, headers ...string) answer {
	r.t.Helper()
	var content io.Reader
	if body != "" {
		content = bytes.NewBufferString(body)
	}
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, content)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminSecret)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		} else if headers[i+1] == "" {
			request.Header.Del(headers[i])
		} else {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := r.http.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		r.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: string(text)}
	if response.StatusCode >= http.StatusBadRequest && response.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(text, &a.problem, json.RejectUnknownMembers(true)); err != nil {
			r.t.Fatalf("%s %s: %q is no problem: %v", method, path, text, err)
		}
	}
	return a
}

func flagID(key string) document.ID { return document.ID{Kind: document.KindFlag, Key: key} }

func absent() client.Precondition { return client.Precondition{Absent: true} }

// flagBody is a flag that answers the variant on or off; more is added to it.
func flagBody(variant, more string) []byte {
	return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":%q%s}`, variant, more)
}
