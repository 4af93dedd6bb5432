package publisher

import (
	"net"
	"os"
	"syscall"
)

// isOwner reports whether the process at the other end of a Unix socket belongs to the user of this one, or to root.
func isOwner(client net.Conn) bool {
	c, ok := client.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var peer *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	return err == nil && failed == nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
}
