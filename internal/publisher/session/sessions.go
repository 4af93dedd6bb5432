package session

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/telemetry"
	"github.com/flagside/flagside/sync/bucket"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// Lifetime is how long a session lasts. It is never prolonged.
	Lifetime = 12 * time.Hour
	// Recheck is for how long a publisher believes that a session which it has read was not ended elsewhere.
	Recheck = time.Second
	// outage is for how long it believes so while the bucket cannot be read.
	outage = time.Minute
	// MaxSessions is how many sessions there may be in an installation, and maxOwn how many of one principal: a further one ends the oldest.
	MaxSessions = 10_000
	maxOwn      = 32
	// MaxBytes bounds a stored session.
	MaxBytes = 16 << 10
	// storeTimeout bounds one use of the bucket.
	storeTimeout = 5 * time.Second
)

var (
	// ErrEnded means that the session of a cookie has ended: the browser should forget the cookie. It is an access.ErrRejected too.
	ErrEnded = errors.New("the session has ended: sign in again")
	// ErrMediaType means that a request with a cookie has a body of a type that pages of other sites can send. Answer 415.
	ErrMediaType = errors.New("a request with a session needs the Content-Type application/json, or no body")
	// ErrUnknown means that there is no such session, or that it is someone else's.
	ErrUnknown = errors.New("there is no such session")
	// ErrUnavailable means that sessions cannot be read or written now; try again.
	ErrUnavailable = errors.New("the sessions of the console (stream SESSIONS) cannot be read or written now: ask again later")
)

// Store is where publishers share sessions. A *bucket.Bucket is one.
type Store interface {
	Create(ctx context.Context, v bucket.Value, expires time.Duration) error
	Get(ctx context.Context, key string) (bucket.Value, error)
	List(ctx context.Context, key string) ([]bucket.Value, error)
	Remove(ctx context.Context, key string) error
}

// Options say who is let in. All members but Client, Metrics, Repeats and Now are required.
type Options struct {
	// Authenticator knows tokens and issuers. It decides who sends a request with an Authorization header.
	Authenticator *access.Authenticator
	// Keyring and Signer are the publisher's.
	Keyring *changelog.Keyring
	Signer  *changelog.Signer
	// Client returns who has the connection of a request, for limits; nil takes all for one.
	Client func(*http.Request) any
	// Metrics collects the metrics; nil means that no one does.
	Metrics prometheus.Registerer
	// Logger is told who signs in and out. Repeats gets what others can cause at will; nil writes to Logger.
	Logger  zerolog.Logger
	Repeats *telemetry.Repeats
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Sessions are the sessions of an installation. Create them with New.
type Sessions struct {
	options Options
	flow    *access.CodeFlow // nil if no issuer is to sign in by
	cache   *cache
	limits  *limits
	codes   codes
	metrics *metrics
	count   atomic.Int64  // sessions, as last counted
	lost    chan struct{} // of one: tells Run that the bucket is gone

	mu    sync.Mutex
	store Store // nil before it was opened
}

// New validates the options. It starts nothing.
func New(o Options) (*Sessions, error) {
	if o.Authenticator == nil || o.Keyring == nil || o.Signer == nil {
		return nil, errors.New("session: authenticator, keyring and signer are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Client == nil {
		o.Client = func(*http.Request) any { return nil }
	}
	o.Repeats = cmp.Or(o.Repeats, telemetry.NewRepeats(o.Logger))
	s := &Sessions{options: o, flow: o.Authenticator.CodeFlow(), cache: newCache(), limits: newLimits(), lost: make(chan struct{}, 1), codes: codes{all: make(map[changelog.Digest]code)}}
	var err error
	s.metrics, err = newMetrics(o.Metrics, &s.count)
	return s, err
}

// bucket returns the store, or ErrUnavailable before there is one.
func (s *Sessions) bucket() (Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		return nil, ErrUnavailable
	}
	return s.store, nil
}
