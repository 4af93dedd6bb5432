package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/admin"
	"github.com/flagside/flagside/internal/publisher/session"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/bucket"
)

// adaToken and boToken are fixed tokens.
const (
	adaToken = "flagside_the-token-of-ada-in-these-tests-topsecret"
	boToken  = "flagside_the-token-of-bo-in-these-tests-topsecret"
)

func holder(id, secret string, groups ...string) access.FixedToken {
	return access.FixedToken{Secret: secret, Principal: access.Principal{ID: id, Kind: access.KindToken, Groups: groups}}
}

func bothHolders() []access.FixedToken {
	return []access.FixedToken{holder("ada", adaToken, access.RoleEditor), holder("bo", boToken, access.RoleViewer)}
}

// clock is a clock that a test sets.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// replica is what one publisher has of the console, over real HTTP and a real server of NATS.
type replica struct {
	*httptest.Server

	t        *testing.T
	sessions *session.Sessions
	bucket   *bucket.Bucket
	store    *store
	clock    *clock
	log      *logtest.Log
}

// store is a bucket that can be out of reach.
type store struct {
	*bucket.Bucket

	down atomic.Bool
}

var errDown = errors.New("it is out of reach")

func (s *store) Create(ctx context.Context, v bucket.Value, expires time.Duration) error {
	if s.down.Load() {
		return errDown
	}
	return s.Bucket.Create(ctx, v, expires)
}

func (s *store) Get(ctx context.Context, key string) (bucket.Value, error) {
	if s.down.Load() {
		return bucket.Value{}, errDown
	}
	return s.Bucket.Get(ctx, key)
}

func (s *store) Remove(ctx context.Context, key string) error {
	if s.down.Load() {
		return errDown
	}
	return s.Bucket.Remove(ctx, key)
}

// setup says how a replica is to be.
type setup struct {
	nats    string
	fixed   []access.FixedToken
	issuers []access.Issuer
	tls     bool
}

func connect(t *testing.T, address string) *flagsync.Conn {
	t.Helper()
	c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: address, Name: t.Name(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// start runs a replica until the test ends.
func start(t *testing.T, s setup) *replica {
	t.Helper()
	if s.nats == "" {
		s.nats = natstest.Start(t).URL()
	}
	if s.fixed == nil {
		s.fixed = bothHolders()
	}
	r := &replica{t: t, clock: &clock{}, log: &logtest.Log{}}
	authenticator, err := access.NewAuthenticator(access.AuthenticatorOptions{Fixed: s.fixed, Issuers: s.issuers})
	if err != nil {
		t.Fatal(err)
	}
	r.sessions, err = session.New(session.Options{
		Authenticator: authenticator, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Logger: zerolog.New(r.log), Now: r.clock.now,
		Client: func(r *http.Request) any { return r.Header.Get("Test-Client") },
	})
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, s.nats)
	options := bucket.Options{
		Stream: flagsync.SessionsStream, Subject: flagsync.SessionsSubject, Replicas: 1, Values: session.MaxSessions, ValueBytes: session.MaxBytes,
	}
	r.bucket, err = bucket.Open(t.Context(), conn, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	r.store = &store{Bucket: r.bucket}
	open := func(ctx context.Context) (session.Store, error) { // again, if the stream is gone
		_, err := bucket.Open(ctx, conn, options)
		return r.store, err
	}
	wg.Go(func() { _ = r.sessions.Run(ctx, open) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	r.Server = httptest.NewUnstartedServer(r.handler())
	if s.tls {
		r.StartTLS()
	} else {
		r.Start()
	}
	t.Cleanup(r.Close)
	waiting.Until(t, "sessions can be read", func() bool { _, err := r.sessions.List(t.Context(), ""); return err == nil })
	return r
}

// handler answers as a publisher does, with an operation of the API that says who asks.
func (r *replica) handler() http.Handler {
	mux := http.NewServeMux()
	own := r.sessions.Handler()
	for _, path := range session.Paths() {
		mux.Handle(path, own)
	}
	mux.HandleFunc("/api/v1/whoami", func(w http.ResponseWriter, request *http.Request) {
		p, err := r.sessions.Authenticate(request)
		switch {
		case err == nil:
			_, _ = io.WriteString(w, p.PolicyID())
		case strings.Contains(err.Error(), session.ErrMediaType.Error()):
			http.Error(w, err.Error(), http.StatusUnsupportedMediaType)
		case errors.Is(err, access.ErrUnavailable):
			http.Error(w, "", http.StatusServiceUnavailable)
		default:
			http.Error(w, err.Error(), http.StatusUnauthorized)
		}
	})
	return admin.CheckOrigin(session.WithPolicy(mux), origin.For(nil, nil, nil))
}

// browser is a browser with cookies of its own, which follows no redirect unless it is told to.
type browser struct {
	t      *testing.T
	client *http.Client
	jar    *cookiejar.Jar
}

func newBrowser(t *testing.T, r *replica) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, jar: jar, client: &http.Client{
		Jar: jar, Transport: r.Client().Transport, Timeout: waiting.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; headers come in pairs.
func (b *browser) ask(method, address, body string, headers ...string) answer {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{status: response.StatusCode, header: response.Header, body: string(text)}
}

const jsonType = "application/json"

// signIn signs in by a token.
func (b *browser) signIn(r *replica, token string, headers ...string) answer {
	b.t.Helper()
	return b.ask(http.MethodPost, r.URL+"/console/session", `{"token":"`+token+`"}`, append([]string{"Content-Type", jsonType}, headers...)...)
}

// who returns whom a replica takes the browser for, by the API.
func (b *browser) who(r *replica) string {
	b.t.Helper()
	if got := b.ask(http.MethodGet, r.URL+"/api/v1/whoami", ""); got.status == http.StatusOK {
		return got.body
	}
	return ""
}

// cookie returns the session's cookie as the browser has it, nil if it has none.
func (b *browser) cookie(r *replica) *http.Cookie {
	b.t.Helper()
	at, err := url.Parse(r.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.jar.Cookies(at) {
		if strings.HasSuffix(c.Name, "flagside-session") {
			return c
		}
	}
	return nil
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}
