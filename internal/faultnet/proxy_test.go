package faultnet_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/waiting"
)

// patience is how long a test waits for what must come, and brief how long for
// what must not.
const (
	patience = 20 * time.Second
	brief    = 50 * time.Millisecond
)

// echo starts a server that sends back what it gets, and a proxy before it.
func echo(t *testing.T) *faultnet.Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return faultnet.Start(t, listener.Addr().String())
}

func dial(t *testing.T, p *faultnet.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func wantText(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v, want %q", got, err, want)
	}
}

// wantSilence reads nothing from a connection that stays open.
func wantSilence(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(brief))
	n, err := conn.Read(make([]byte, 1))
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v, want silence", n, err)
	}
}

func wantEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v, want the end of the connection", n, err)
	}
}

func TestPass(t *testing.T) {
	t.Parallel()
	p := echo(t)
	for range 3 {
		conn := dial(t, p)
		send(t, conn, "hello")
		wantText(t, conn, "hello")
	}
	if p.Accepted() != 3 || p.Dropped() != 0 {
		t.Errorf("%d connections and %d bytes dropped, want 3 and 0", p.Accepted(), p.Dropped())
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	p := echo(t)
	var both []net.Conn
	for range 2 { // one after the other, so that the first is known first
		conn := dial(t, p)
		send(t, conn, "x")
		wantText(t, conn, "x")
		both = append(both, conn)
	}
	first, second := both[0], both[1]
	p.Conns()[0].Cut()
	wantEnd(t, first)
	send(t, second, "y")
	wantText(t, second, "y")
	p.Cut()
	wantEnd(t, second)
	waiting.Until(t, "the end of all connections after the cut", func() bool { return len(p.Conns()) == 0 })
}

func TestDelay(t *testing.T) {
	t.Parallel()
	p := echo(t)
	const delay = 30 * time.Millisecond
	p.Set(faultnet.Faults{ToServer: faultnet.Rule{Delay: delay}, ToClient: faultnet.Rule{Delay: delay}})
	conn := dial(t, p)
	begin := time.Now()
	for range 100 { // under way all at once, and in order
		send(t, conn, "0123456789")
	}
	for range 100 {
		wantText(t, conn, "0123456789")
	}
	if took := time.Since(begin); took < 2*delay || took > patience {
		t.Errorf("it took %s, want %s and a little", took, 2*delay)
	}
}

func TestHold(t *testing.T) {
	t.Parallel()
	p := echo(t)
	conn := dial(t, p)
	p.Set(faultnet.Faults{ToServer: faultnet.Rule{Action: faultnet.Hold}})
	send(t, conn, "held")
	wantSilence(t, conn)
	if p.Held() != len("held") {
		t.Errorf("%d bytes held, want %d", p.Held(), len("held"))
	}
	p.Set(faultnet.Faults{})
	wantText(t, conn, "held")

	p.Set(faultnet.Faults{ToClient: faultnet.Rule{Action: faultnet.Hold}})
	send(t, conn, "answer")
	wantSilence(t, conn)
	p.Cut()
	wantEnd(t, conn)
}

// TestDrop swallows one direction for good: a connection that has lost something
// does not come back.
func TestDrop(t *testing.T) {
	t.Parallel()
	p := echo(t)
	conn := dial(t, p)
	p.Set(faultnet.Faults{ToClient: faultnet.Rule{Action: faultnet.Drop}})
	send(t, conn, "lost")
	wantSilence(t, conn)
	p.Set(faultnet.Faults{})
	send(t, conn, "lost, too")
	wantSilence(t, conn)
	if p.Dropped() != len("lostlost, too") {
		t.Errorf("%d bytes dropped, want %d", p.Dropped(), len("lostlost, too"))
	}
	again := dial(t, p)
	send(t, again, "anew")
	wantText(t, again, "anew")
}

func TestHalfOpen(t *testing.T) {
	t.Parallel()
	p := echo(t)
	conn := dial(t, p)
	send(t, conn, "x")
	wantText(t, conn, "x")
	p.Conns()[0].HalfOpen()
	send(t, conn, "into nothing")
	wantSilence(t, conn)
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	p := echo(t)
	p.Refuse(true)
	wantEnd(t, dial(t, p))
	p.Refuse(false)
	conn := dial(t, p)
	send(t, conn, "x")
	wantText(t, conn, "x")
}

// A proxy ends although clients come all the time, and what it refuses never slips in between.
func TestCloseWhileClientsCome(t *testing.T) {
	t.Parallel()
	for range 50 {
		p := echo(t)
		var coming sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			coming.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if conn, err := net.Dial("tcp", p.Addr()); err == nil {
						t.Cleanup(func() { _ = conn.Close() }) // no one but the proxy ends it
					}
				}
			})
		}
		waiting.Until(t, "a connection", func() bool { return p.Accepted() > 0 })
		p.Refuse(true)
		p.Cut()
		before := p.Accepted()
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			p.Close()
		}()
		select {
		case <-closed:
		case <-time.After(patience):
			t.Fatal("the proxy does not end")
		}
		close(stop)
		coming.Wait()
		if after := p.Accepted(); after != before {
			t.Fatalf("%d connections were taken, %d after new ones were refused", before, after)
		}
	}
}

// Faults that wait for a text let everything pass until one side of some connection sends it.
func TestFaultsThatBeginWithAText(t *testing.T) {
	p := echo(t)
	one, other := dial(t, p), dial(t, p)
	p.Set(faultnet.Faults{From: "now", ToClient: faultnet.Rule{Action: faultnet.Hold}})
	for _, conn := range []net.Conn{one, other} {
		send(t, conn, "before")
		wantText(t, conn, "before")
	}
	send(t, one, "now")
	wantSilence(t, one)
	send(t, other, "after")
	wantSilence(t, other)
	late := dial(t, p)
	send(t, late, "late")
	wantSilence(t, late)
	p.Set(faultnet.Faults{})
	wantText(t, one, "now")
	wantText(t, other, "after")
	wantText(t, late, "late")
}
