package jetstream

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// What the subjects of the JetStream API begin with.
const (
	PlainAPI    = "$JS.API."      // in the account that has the streams
	AccountsAPI = "flagside.api." // in accounts that take it from there
)

const (
	// probePause is how long an answer is waited for before the question is put
	// again.
	probePause = time.Second
	// probePatience is how long Connect waits for the first answer.
	probePatience = 500 * time.Millisecond
)

// prefix finds out whether the server has accounts, by a question that only they
// answer: the server says at once that it has no responders otherwise. Silence
// decides nothing. Until the first answer it is taken for granted that it has.
type prefix struct {
	plain    string        // of a server without accounts
	question string        // the call that is asked; its answer does not matter
	decided  chan struct{} // closed once there was an answer

	mu      sync.Mutex // guards what follows
	known   bool
	without bool // the server has no accounts
	proven  bool // and its JetStream has answered without them
	settled bool // accounts have answered on this connection: they cannot go while it lasts
	asked   time.Time
	inbox   string // where answers come to; "" before the first question
}

// newPrefix returns one for the sidecar of an environment, or for a publisher.
func newPrefix(o ConnectOptions) *prefix {
	p := &prefix{plain: PlainAPI, question: "STREAM.INFO." + ControlStream, decided: make(chan struct{})}
	if o.Domain != "" {
		p.plain = "$JS." + o.Domain + ".API."
	}
	if o.Environment != "" {
		p.question = "STREAM.INFO." + FlagsStream(o.Environment)
	}
	return p
}

// api returns what the subjects of the JetStream API begin with.
func (c *Conn) api() string {
	c.prefix.mu.Lock()
	defer c.prefix.mu.Unlock()
	if c.prefix.without {
		return c.prefix.plain
	}
	return AccountsAPI
}

// WithoutAccounts reports whether the streams lie in the account that this
// connection has logged in to. Credentials of a sidecar are enough, then, to make
// the server write there.
func (c *Conn) WithoutAccounts() bool {
	c.prefix.mu.Lock()
	defer c.prefix.mu.Unlock()
	return c.prefix.without && c.prefix.proven
}

// probeAnew asks on a new connection, which may be one to another server.
func (c *Conn) probeAnew(conn *nats.Conn) {
	c.prefix.mu.Lock()
	c.prefix.settled = false
	c.prefix.mu.Unlock()
	c.probe(conn, 0)
}

// probe asks whether the server has accounts, unless it was just asked. It does
// not wait for the answer.
func (c *Conn) probe(conn *nats.Conn, least time.Duration) {
	p := c.prefix
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.asked) < least {
		return
	}
	if p.inbox == "" {
		inbox := conn.NewInbox()
		if _, err := conn.Subscribe(inbox, func(msg *nats.Msg) { c.probed(msg.Header.Get("Status") == statusNoResponders) }); err != nil {
			return // the connection is closed
		}
		p.inbox = inbox
	}
	p.asked = now
	_ = conn.PublishRequest(AccountsAPI+p.question, p.inbox, nil) // without a connection, its return asks again
}

// probed takes the answer.
func (c *Conn) probed(without bool) {
	p := c.prefix
	p.mu.Lock()
	changed := p.without != without
	if without && p.settled { // the configuration of the server is being loaded
		changed, without = false, false
	}
	if !p.known {
		close(p.decided)
	}
	p.known, p.without, p.settled = true, without, !without
	p.mu.Unlock()
	if changed {
		c.missed() // what was asked meanwhile was asked in vain
	}
}

// refusedProbe reports whether an error is about a user that may not ask, as
// those of a server without accounts.
func (c *Conn) refusedProbe(err error) bool {
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(AccountsAPI+c.prefix.question))
}

// doubt asks again, after a call that JetStream did not answer, or answered as an
// account does that has no streams.
func (c *Conn) doubt() {
	c.prefix.mu.Lock()
	settled := c.prefix.settled
	c.prefix.mu.Unlock()
	if !settled {
		c.probe(c.nats, probePause)
	}
}

// answered notes how JetStream has answered a call.
func (c *Conn) answered(subject string, err error) {
	if HasCode(err, codeNotEnabled, codeNotEnabledForAccount, CodeStreamNotFound) {
		c.doubt()
		return
	}
	p := c.prefix
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.without && strings.HasPrefix(subject, p.plain) {
		p.proven = true
	}
}
