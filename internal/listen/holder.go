package listen

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
)

// Holder is who holds places, as far as that can be told: another machine by its address, a process at the other end of a Unix socket, and of the
// clients on loopback only that they are there.
type Holder struct {
	name    string
	local   bool // on this machine
	several bool // it may be several clients
}

// maxAgent is how many bytes of what clients call themselves tell them apart.
const maxAgent = 128

// Abort closes a connection without a word to its client, which may not listen.
func Abort(c net.Conn) {
	if outer, ok := c.(*tls.Conn); ok {
		c = outer.NetConn()
	}
	c.Close()
}

// HolderOf returns who has a connection.
func HolderOf(c net.Conn) Holder {
	if outer, ok := c.(*tls.Conn); ok {
		c = outer.NetConn()
	}
	switch c := c.(type) {
	case *counted:
		return c.holder
	case *net.UnixConn:
		return processOf(c)
	}
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		return Holder{name: tcp.AddrPort().Addr().Unmap().String()}
	}
	return Holder{local: true, several: true}
}

// Named tells clients on this machine apart by what they call themselves, such as a User-Agent, if nothing better is known of them.
func (h Holder) Named(agent string) Holder {
	if h.several {
		h.name += " " + strings.Clone(agent[:min(len(agent), maxAgent)])
	}
	return h
}

// process returns the holder for a process. The id is 0 for one of another container, of which only the user is known then.
func process(id int32, user uint32) Holder {
	if id == 0 {
		return Holder{name: fmt.Sprintf("user %d", user), local: true, several: true}
	}
	return Holder{name: fmt.Sprintf("process %d", id), local: true}
}
