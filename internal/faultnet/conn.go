package faultnet

import (
	"bytes"
	"net"
	"sync"
	"time"
)

// queue is how many pieces may be on their way in one direction; more stay in
// the sender's socket.
const queue = 256

// Conn is one connection through a [Proxy]. It is safe for concurrent use.
type Conn struct {
	proxy  *Proxy
	client net.Conn
	server net.Conn
	ended  chan struct{}
	once   sync.Once

	mu      sync.Mutex
	faults  Faults
	half    bool
	changed chan struct{} // closed and replaced when the faults change
}

// Set makes the faults those of this connection.
func (c *Conn) Set(f Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = f
	close(c.changed)
	c.changed = make(chan struct{})
}

// begin ends the waiting of faults for their text, unless others were set.
func (c *Conn) begin(f Faults) {
	c.mu.Lock()
	waiting := c.faults == f
	c.mu.Unlock()
	if waiting {
		f.From = ""
		c.Set(f)
	}
}

// Cut ends the connection for both sides. What was under way is lost.
func (c *Conn) Cut() {
	c.once.Do(func() { close(c.ended) })
	_ = c.client.Close()
	_ = c.server.Close()
}

// HalfOpen ends the connection for the server, while the client is not told:
// what it sends is swallowed, and nothing comes any more.
func (c *Conn) HalfOpen() {
	c.mu.Lock()
	c.half = true
	c.mu.Unlock()
	c.Set(Faults{ToServer: Rule{Action: Drop}, ToClient: Rule{Action: Drop}})
	_ = c.server.Close()
}

// end is called when one side is gone; the other one is told, unless the
// connection is to stay half open.
func (c *Conn) end(gone net.Conn) {
	c.mu.Lock()
	half := c.half
	c.mu.Unlock()
	if half && gone == c.server {
		return
	}
	c.Cut()
}

type piece struct {
	data []byte
	at   time.Time
}

// pass carries what one side sends to the other.
func (c *Conn) pass(to, from net.Conn, rule func(Faults) Rule) {
	pieces := make(chan piece, queue)
	var writing sync.WaitGroup
	writing.Go(func() { c.write(to, pieces, rule) })
	for {
		data := make([]byte, 32*1024)
		n, err := from.Read(data)
		if err != nil {
			break
		}
		pieces <- piece{data: data[:n], at: time.Now()}
	}
	close(pieces)
	writing.Wait()
	c.end(from)
}

// write lets the pieces through by the rule of their direction. It takes all of
// them, so that the reader never waits for it in vain.
func (c *Conn) write(to net.Conn, pieces <-chan piece, rule func(Faults) Rule) {
	dead := false
	for p := range pieces {
		if dead = dead || !c.admit(p, rule); dead {
			c.proxy.swallow(len(p.data))
			continue
		}
		if _, err := to.Write(p.data); err != nil {
			dead = true
			c.end(to)
		}
	}
}

// admit waits until a piece may go on, and reports whether it may.
func (c *Conn) admit(p piece, rule func(Faults) Rule) bool {
	for {
		c.mu.Lock()
		faults, changed := c.faults, c.changed
		c.mu.Unlock()
		if faults.From != "" {
			if !bytes.Contains(p.data, []byte(faults.From)) {
				return true
			}
			c.begin(faults)
			c.proxy.begin(faults)
			continue
		}
		r := rule(faults)
		if r.Action == Drop {
			return false
		}
		wait := time.Until(p.at.Add(r.Delay))
		if r.Action == Pass && wait <= 0 {
			return true
		}
		if !c.await(p, r, wait, changed) {
			return false
		}
	}
}

// await waits until a piece is due or the faults change, and reports whether the
// connection is still there.
func (c *Conn) await(p piece, r Rule, wait time.Duration, changed <-chan struct{}) bool {
	var due <-chan time.Time
	if r.Action == Hold {
		c.proxy.hold(len(p.data))
		defer c.proxy.hold(-len(p.data))
	} else {
		due = time.After(wait)
	}
	select {
	case <-due:
	case <-changed:
	case <-c.ended:
		return false
	}
	return true
}
