package e2e_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// tap stands between a publisher and its NATS servers, and knows what is written: facts of the ledger, and entries of the log.
type tap struct {
	addr    string
	servers []string

	mu      sync.Mutex
	conns   map[net.Conn]bool
	dialled int
	mark    string // of the writes that count
	written int
	before  func(write int) // called with the number of a write, from 1; nil lets everything pass
	after   func(write int) // called once the server has been sent it
	mute    bool            // no answer comes back any more
	cut     bool            // and nothing is passed on
}

// newTap listens, and lets everything pass to a server that can be reached, for each connection another one.
func newTap(t *testing.T, servers ...string) *tap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{addr: listener.Addr().String(), servers: servers, conns: make(map[net.Conn]bool)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		p.cut = true
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		serving.Wait()
	})
	return p
}

// arm counts the writes with a mark, and has before and after called, on the way to the server, for each of them.
func (p *tap) arm(mark string, before, after func(write int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mark = mark
	p.written, p.before, p.after, p.mute, p.cut = 0, before, after, false, false
}

// silence keeps answers back until the tap is armed again.
func (p *tap) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = true
}

// hold keeps everything back, in both directions, until the tap is armed again.
func (p *tap) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute, p.cut = true, true
}

// idle reports whether no one is connected: the servers have all that has passed.
func (p *tap) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) == 0
}

func (p *tap) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written
}

func (p *tap) state() (mute, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mute, p.cut
}

func (p *tap) serve(client net.Conn) {
	server := p.dial()
	if server == nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	if p.cut {
		_ = client.Close()
	}
	p.mu.Unlock()
	var passing sync.WaitGroup
	passing.Go(func() {
		p.toServer(server, client)
		_ = server.(*net.TCPConn).CloseWrite() // the server reads what was passed, and ends the connection
	})
	_, _ = io.Copy(answers{client, p}, server)
	_ = client.Close()
	passing.Wait()
	_ = server.Close()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

func (p *tap) dial() net.Conn {
	p.mu.Lock()
	p.dialled++
	first := p.dialled
	p.mu.Unlock()
	for i := range p.servers {
		if c, err := net.Dial("tcp", p.servers[(first+i)%len(p.servers)]); err == nil {
			return c
		}
	}
	return nil
}

// answers is what a client hears, or misses.
type answers struct {
	client net.Conn
	tap    *tap
}

func (a answers) Write(b []byte) (int, error) {
	if mute, _ := a.tap.state(); !mute {
		_, _ = a.client.Write(b)
	}
	return len(b), nil // the server must not notice
}

// errHeld ends the way to the server.
var errHeld = errors.New("held back")

// toServer passes what a client says, message by message.
func (p *tap) toServer(server io.Writer, client io.Reader) {
	in := bufio.NewReader(client)
	for {
		message, write, err := readMessage(in)
		if err != nil {
			return
		}
		if write {
			err = p.pass(server, message)
		} else if _, cut := p.state(); !cut {
			_, err = server.Write(message)
		}
		if err != nil {
			return
		}
	}
}

// pass passes one write between what is to happen before and after it.
func (p *tap) pass(server io.Writer, message []byte) error {
	p.mu.Lock()
	n, before, after := 0, p.before, p.after
	if bytes.Contains(message, []byte(p.mark)) {
		p.written++
		n = p.written
	} else {
		before, after = nil, nil
	}
	p.mu.Unlock()
	if before != nil {
		before(n)
	}
	if _, cut := p.state(); cut {
		return errHeld
	}
	if after != nil {
		defer after(n)
	}
	_, err := server.Write(message)
	return err
}

// readMessage reads one message of the NATS client protocol, and tells whether it is written to the ledger or the log.
func readMessage(in *bufio.Reader) (message []byte, write bool, err error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil, false, err
	}
	fields := strings.Fields(string(line))
	if len(fields) < 3 || !bytes.HasPrefix(line, []byte("HPUB ")) && !bytes.HasPrefix(line, []byte("PUB ")) {
		return line, false, nil
	}
	size, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		return nil, false, fmt.Errorf("%q: %w", line, err)
	}
	body := make([]byte, size+len("\r\n"))
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, false, err
	}
	return append(line, body...), strings.HasPrefix(fields[1], "flags.") || strings.HasPrefix(fields[1], "ledger."), nil
}
