package listen_test

import (
	"net"
	"testing"

	"github.com/flagside/flagside/internal/listen"
)

// from is a connection from an address.
type from struct {
	net.Conn

	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

func clientAt(ip string, port int) any {
	return listen.Client(from{addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: port}})
}

func TestOneClientHasItsShare(t *testing.T) {
	t.Parallel()
	s := listen.NewShares(256)
	take := func(client any, want int) (taken int) {
		t.Helper()
		for s.Take(client) {
			taken++
		}
		if taken != want {
			t.Errorf("%v takes %d places, want %d", client, taken, want)
		}
		return taken
	}
	greedy := clientAt("10.0.0.1", 1)
	take(greedy, 64)
	take(clientAt("10.0.0.1", 2), 0)        // another connection of the same client
	take(clientAt("::ffff:10.0.0.1", 2), 0) // and its address in another form
	take(clientAt("10.0.0.2", 1), 64)
	take(clientAt("127.0.0.1", 1), 64) // on this machine each connection is a client
	take(clientAt("127.0.0.1", 2), 64)
	take(clientAt("10.0.0.3", 1), 0)
	s.Release(greedy)
	take(clientAt("10.0.0.3", 1), 1)
	for range 63 {
		s.Release(greedy)
	}
	take(greedy, 63)
	if taken, first := s.TakeFirst(greedy); taken || first {
		t.Error("a client that has its share gets a place")
	}
	if taken, first := s.TakeFirst(clientAt("10.0.0.9", 1)); !taken || !first {
		t.Error("a client that has no place gets none")
	}
	few := listen.NewShares(4)
	for range 4 {
		if !few.Take(greedy) {
			t.Error("where there are few places a client cannot have all")
		}
	}
}
