package listen

import (
	"net"
	"syscall"
)

// processOf returns the process at the other end of a Unix socket, as the system knows it.
func processOf(c *net.UnixConn) Holder {
	unknown := Holder{local: true, several: true}
	raw, err := c.SyscallConn()
	if err != nil {
		return unknown
	}
	var peer *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil || failed != nil {
		return unknown
	}
	return process(peer.Pid, peer.Uid)
}
