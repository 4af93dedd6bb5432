package dev_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/dev"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/waiting"
)

// running is a Dev that runs in the test.
type running struct {
	*dev.Dev

	t    *testing.T
	file string
	out  *logtest.Log // what it printed
	log  *logtest.Log // what it logged
	stop func()
}

// start runs a Dev on a file until the test ends.
func start(t *testing.T, o dev.Options) *running {
	t.Helper()
	r := &running{t: t, file: o.File, out: &logtest.Log{}, log: &logtest.Log{}}
	for _, address := range []*string{&o.Sidecar.OFREPAddr, &o.Sidecar.ManagementAddr, &o.AdminAddr, &o.NATSAddr} {
		*address = "127.0.0.1:0"
	}
	o.Out, o.Logger = r.out, zerolog.New(r.log)
	var err error
	if r.Dev, err = dev.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ended with %v\n%s", err, r.log)
		}
	})
	t.Cleanup(r.stop)
	r.await("the greeting", func() bool { return strings.Contains(r.out.String(), "Try:") })
	return r
}

// await waits until the condition holds.
func (r *running) await(what string, condition func() bool) {
	r.t.Helper()
	waiting.Until(r.t, what, condition, r.out, r.log)
}

// ask sends a request and returns its status and body.
func (r *running) ask(method, address, body string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, address, bytes.NewBufferString(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if token := regexp.MustCompile(`flagside_\S+`).FindString(r.out.String()); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// answer returns the value that an application gets for a flag, or the error code.
func (r *running) answer(key string) string {
	r.t.Helper()
	_, body := r.ask(http.MethodPost, fmt.Sprintf("http://%s/ofrep/v1/evaluate/flags/%s", r.OFREPAddr(), url.PathEscape(key)), `{}`)
	var answer struct {
		Value     any    `json:"value"`
		ErrorCode string `json:"errorCode"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		r.t.Fatalf("%q: %v", body, err)
	}
	if answer.ErrorCode != "" {
		return answer.ErrorCode
	}
	return fmt.Sprint(answer.Value)
}

// The link that is printed signs a browser in as the developer, once.
func TestTheConsoleIsEnteredOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "flags.json")
	if err := os.WriteFile(file, []byte(one("first")), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, dev.Options{File: file})
	link := regexp.MustCompile(`http://\S+/console/enter\?code=\S+`).FindString(r.out.String())
	visit := func(address, cookie string) (status int, header http.Header, body string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Cookie", cookie)
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, response.Header, string(text)
	}
	cookie := ""
	r.await("the console", func() bool {
		status, header, _ := visit(link, "")
		cookie, _, _ = strings.Cut(header.Get("Set-Cookie"), ";")
		return status == http.StatusSeeOther
	})
	if _, _, who := visit("http://"+r.AdminAddr().String()+"/console/session", cookie); !strings.Contains(who, `"how":"dev"`) || !strings.Contains(who, `"id":"dev"`) {
		t.Errorf("%q is %s", cookie, who)
	}
	if status, _, _ := visit(link, ""); status != http.StatusUnauthorized {
		t.Errorf("again: %d", status)
	}
	if code := link[strings.Index(link, "=")+1:]; strings.Contains(r.log.String(), code) {
		t.Error("the code is in the log")
	}
}

func (r *running) awaitAnswer(key, want string) {
	r.t.Helper()
	r.await(key+" to be "+want, func() bool { return r.answer(key) == want })
}

func (r *running) ready() bool {
	status, _ := r.ask(http.MethodGet, fmt.Sprintf("http://%s/readyz", r.ManagementAddr()), "")
	return status == http.StatusOK
}

// revision returns the revision of the environment.
func (r *running) revision() string {
	r.t.Helper()
	_, body := r.ask(http.MethodGet, fmt.Sprintf("http://%s/api/v1/environments/dev", r.AdminAddr()), "")
	var e struct {
		Revision string `json:"revision"`
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		r.t.Fatalf("%q: %v", body, err)
	}
	return e.Revision
}

// conditions returns the conditions that the publisher reports.
func (r *running) conditions() string {
	r.t.Helper()
	_, body := r.ask(http.MethodGet, fmt.Sprintf("http://%s/status", r.AdminAddr()), "")
	return body
}

// flags returns a file with flags that answer these values.
func flags(values map[string]string) string {
	definitions := map[string]any{}
	for key, value := range values {
		definitions[key] = map[string]any{"state": "ENABLED", "variants": map[string]string{"v": value}, "defaultVariant": "v"}
	}
	text, _ := json.MarshalIndent(map[string]any{"flags": definitions}, "", "  ")
	return string(text)
}

func one(value string) string { return flags(map[string]string{"greeting": value}) }

// broken has its mistake in line 4.
const broken = `{"flags": {"greeting": {
  "state": "ENABLED",
  "variants": {"v": "x"},
  "defaultVariant": "w"
}}}`

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "flags.json")
	write(t, file, content)
	return file
}
