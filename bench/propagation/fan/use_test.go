package fan

import (
	"bufio"
	"math"
	"net"
	"strings"
	"testing"
	"time"
)

// What a process takes at rest is no part of a change.
func TestUseOfAChange(t *testing.T) {
	t.Parallel()
	const changes, perSecond = 10, 50 * time.Millisecond
	u := newUse(changes, reading{cpu: 300 * time.Millisecond, resident: 7}, 2*time.Second, perSecond, 3)
	want := Use{All: 30_000, Change: 20_000, Rest: 50_000, Resident: 7, Grown: 3}
	if u != want {
		t.Errorf("got %+v, want %+v", u, want)
	}
	if u := newUse(changes, reading{cpu: time.Millisecond}, time.Second, perSecond, 0); u.Change != 0 || math.Signbit(u.Change) {
		t.Errorf("less than at rest is %v for a change, want 0", u.Change)
	}
}

// A listener counts changes and nothing else, wherever they end in what it reads.
func TestListenerCountsChanges(t *testing.T) {
	t.Parallel()
	server, client := net.Pipe()
	f := &fan{size: 2, last: make(chan time.Time, 1)}
	f.missing.Store(2)
	l := &listener{fan: f, conn: client, in: bufio.NewReaderSize(client, 64)}
	done := make(chan error, 1)
	go func() { done <- l.run() }()
	body := strings.Repeat("x", 200)
	for _, text := range []string{
		"HMSG heartbeat.prod 2 12 212\r\n" + "NATS/1.0\r\n\r\n" + body + "\r\n",
		"HMSG feed.prod.a 1 12 212\r\n" + "NATS/1.0\r\n\r\n" + body + "\r\n" + "PING\r\n",
	} {
		if _, err := server.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if line, err := bufio.NewReader(server).ReadString('\n'); err != nil || line != "PONG\r\n" {
		t.Fatalf("it answers %q: %v", line, err)
	}
	if n := f.missing.Load(); n != 1 {
		t.Errorf("%d of 2 changes are missing, want 1", n)
	}
	if _, err := server.Write([]byte("-ERR 'Authorization Violation'\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "Authorization") {
		t.Errorf("it ended with %v, want what the server said", err)
	}
}
