package listen

import (
	"net"
	"sync"
)

// A client may have a quarter of the places. Where there are few, all of them.
const (
	shareDivisor = 4
	fewPlaces    = 16
)

// Client returns who has a connection, as a key for Shares: the IP address of another machine. On this machine, where all clients have one
// address, it is the connection itself.
func Client(c net.Conn) any {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		return tcp.AddrPort().Addr().Unmap()
	}
	return c
}

// Shares gives a bounded number of places away, to one client not more than its share. Create it with NewShares. Safe for concurrent use.
type Shares struct {
	places, share int

	mu    sync.Mutex // guards what follows
	taken int
	by    map[any]int
}

// NewShares returns shares of a number of places. One client may have a quarter of them, and all if there are 16 or fewer.
func NewShares(places int) *Shares {
	return &Shares{places: places, share: shareOf(places), by: make(map[any]int)}
}

// shareOf returns how many of a number of places one client may have.
func shareOf(places int) int {
	if places <= fewPlaces {
		return places
	}
	return places / shareDivisor
}

// Take gives a client a place, if there is one for it.
func (s *Shares) Take(client any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.places || s.by[client] >= s.share {
		return false
	}
	s.add(client)
	return true
}

// TakeFirst is Take, but a client that has no place yet gets one even if none is left. It reports whether this is the client's only place.
func (s *Shares) TakeFirst(client any) (taken, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = s.by[client] == 0
	if !first && (s.taken >= s.places || s.by[client] >= s.share) {
		return false, false
	}
	s.add(client)
	return true, first
}

func (s *Shares) add(client any) {
	s.taken++
	s.by[client]++
}

// Release takes a place back that the client was given.
func (s *Shares) Release(client any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.by[client]--; s.by[client] == 0 {
		delete(s.by, client)
	}
}
