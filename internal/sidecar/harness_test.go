package sidecar_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// patience bounds every wait: long, because a busy machine is no failure.
const patience = 30 * time.Second

const environment = "prod"

// publisher is what stands for one here: a writer and a beater on a log.
type publisher struct {
	*logWriter

	t     *testing.T
	clock time.Duration // how far its clock is ahead
}

// publish creates the environment on the server if it is new, and beats until the test or the returned function ends it.
func publish(t *testing.T, server *natstest.Server) (p *publisher, stop func()) {
	t.Helper()
	return publishAs(t, server, trusttest.Default())
}

// publishAs is publish for an installation.
func publishAs(t *testing.T, server *natstest.Server, keys trusttest.Keys) (p *publisher, stop func()) {
	t.Helper()
	conn := connectPublisher(t, server.URL(), keys)
	environments, err := writer.OpenEnvironments(t.Context(), conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	known, err := environments.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(known) == 0 {
		if _, err := environments.Create(t.Context(), environment, writer.Order{Actor: "tester"}); err != nil {
			t.Fatal(err)
		}
	}
	p = &publisher{t: t, logWriter: openWriter(t, conn)}
	ctx, cancel := context.WithCancel(context.Background())
	var beating sync.WaitGroup
	beating.Go(func() {
		if err := writer.NewHeartbeater(p.log, zerolog.Nop()).Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		beating.Wait()
		conn.Close()
	})
	t.Cleanup(stop)
	return p, stop
}

// put writes flags, or deletes those whose body is empty, as one change.
func (p *publisher) put(bodies map[string]string) changelog.Position {
	p.t.Helper()
	var head changelog.Position
	waiting.Until(p.t, "the head of the log", func() (known bool) {
		var err error
		head, err = p.catchUp(p.t.Context()) // fails until the connection is back
		return err == nil
	})
	change := writer.Change{OpID: fmt.Sprintf("op-%d", head.Revision+1), Actor: "tester", Time: time.Now().Add(p.clock)}
	for key, body := range bodies {
		document := document.Document{Kind: document.KindFlag, Key: key}
		if body != "" {
			document.Body = []byte(body)
		}
		change.Documents = append(change.Documents, document)
	}
	outcome, err := p.append(p.t.Context(), change)
	if err != nil || outcome.State != writer.Committed {
		p.t.Fatalf("append: %v, %v", outcome.State, err)
	}
	return outcome.Position
}

// flag returns the document of a flag that answers n.
func flag(n int) string {
	return fmt.Sprintf(`{"state":"ENABLED","variants":{"a":%d,"b":0},"defaultVariant":"a"}`, n)
}

// running is a sidecar that runs until the test ends.
type running struct {
	*sidecar.Sidecar

	t      *testing.T
	logs   *logtest.Log
	cancel context.CancelFunc
	ended  chan error
}

// options returns what every test needs: free ports.
func options(url string) sidecar.Options {
	return sidecar.Options{Environment: environment, NATS: url, Trust: trusttest.Default().Trust, OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0"}
}

// start runs a sidecar, which may do at the server what sidecars may.
func start(t *testing.T, o sidecar.Options) *running {
	t.Helper()
	o.NATSNKey = natstest.SidecarKey(t)
	if o.Trust.Installation() == "" {
		o.Trust = trusttest.Default().Trust
	}
	return run(t, o)
}

// run runs a sidecar with nothing but its options.
func run(t *testing.T, o sidecar.Options) *running {
	t.Helper()
	r := &running{t: t, logs: new(logtest.Log), ended: make(chan error, 1)}
	o.Logger = zerolog.New(r.logs)
	s, err := sidecar.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Sidecar = s
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- s.Run(ctx) }()
	t.Cleanup(r.stop)
	return r
}

// stop ends the sidecar and waits for it. It may be called again.
func (r *running) stop() {
	r.cancel()
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Errorf("Run returned %v", err)
		}
		r.ended <- nil
	case <-time.After(patience):
		r.t.Error("Run did not return")
	}
}

// get returns the answer of the management server.
func (r *running) get(path string) (status int, body string) {
	r.t.Helper()
	status, body, err := r.request(http.MethodGet, "http://"+r.ManagementAddr().String()+path, "")
	if err != nil {
		r.t.Fatal(err)
	}
	return status, body
}

// status returns the body of /status.
func (r *running) status() map[string]any {
	r.t.Helper()
	code, body := r.get("/status")
	var status map[string]any
	if err := json.Unmarshal([]byte(body), &status); err != nil || code != http.StatusOK {
		r.t.Fatalf("/status: %d, %v: %s", code, err, body)
	}
	return status
}

// conditions returns the codes of the active conditions.
func (r *running) serving() string {
	r.t.Helper()
	serving, _ := r.status()["serving"].(map[string]any)
	state, _ := serving["state"].(string)
	return state
}

func (r *running) conditions() []string {
	r.t.Helper()
	var codes []string
	for _, condition := range r.status()["conditions"].([]any) {
		codes = append(codes, condition.(map[string]any)["code"].(string))
	}
	return codes
}

// detail returns that of an active condition, "" if it is not active.
func (r *running) detail(code string) string {
	r.t.Helper()
	for _, active := range r.status()["conditions"].([]any) {
		if condition := active.(map[string]any); condition["code"] == code {
			detail, _ := condition["detail"].(string)
			return detail
		}
	}
	return ""
}

// evaluate returns the answer for a flag.
func (r *running) evaluate(key string) (status int, answer map[string]any) {
	r.t.Helper()
	status, body, err := r.request(http.MethodPost, "http://"+r.OFREPAddr().String()+"/ofrep/v1/evaluate/flags/"+key, `{"context":{}}`)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		r.t.Fatalf("%v: %s", err, body)
	}
	return status, answer
}

// want fails the test unless the flag has the value.
func (r *running) want(key string, value any) {
	r.t.Helper()
	if status, answer := r.evaluate(key); status != http.StatusOK || answer["value"] != value {
		r.t.Fatalf("%s: %d, %v; want %v", key, status, answer, value)
	}
}

// awaitValue waits until the flag has the value.
func (r *running) awaitValue(key string, value any) {
	r.t.Helper()
	waiting.Until(r.t, key, func() bool {
		_, answer := r.evaluate(key)
		return answer["value"] == value
	})
}

func (r *running) awaitReady() {
	r.t.Helper()
	waiting.Until(r.t, "readiness", r.Ready)
}

// request does one HTTP request on a connection of its own, so that no connection outlives it.
func (r *running) request(method, url, body string) (status int, content string, err error) {
	request, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Close = true
	client := http.Client{Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return response.StatusCode, string(read), err
}
