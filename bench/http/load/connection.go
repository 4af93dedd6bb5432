//go:build linux

package load

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// connection is one connection without the poller of the Go runtime.
type connection struct {
	file     *os.File // holds fd
	fd       int
	exchange exchange
	out      []byte    // what could not be sent yet
	intended time.Time // when the request under way was to be sent
	busy     bool
}

// connectTimeout is how long a server may take to accept a connection.
const connectTimeout = 5 * time.Second

func connect(t Target, e exchange) (*connection, error) {
	conn, err := net.DialTimeout(t.Network, t.Address, connectTimeout)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // the file is a duplicate
	filer, ok := conn.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, fmt.Errorf("%s: connections of %T have no file", t, conn)
	}
	file, err := filer.File()
	if err != nil {
		return nil, err
	}
	c := &connection{file: file, fd: int(file.Fd()), exchange: e}
	if err := unix.SetNonblock(c.fd, true); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return c, nil
}

// send sends bytes, after those that wait already.
func (c *connection) send(data []byte) error {
	if len(c.out) > 0 {
		c.out = append(c.out, data...)
		return nil
	}
	n, err := write(c.fd, data)
	if err == nil && n < len(data) {
		c.out = append(c.out, data[n:]...)
	}
	return err
}

// flush sends what waits.
func (c *connection) flush() error {
	n, err := write(c.fd, c.out)
	c.out = c.out[:copy(c.out, c.out[n:])]
	return err
}

func write(fd int, data []byte) (int, error) {
	for {
		n, err := unix.Write(fd, data)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		default:
			return max(n, 0), err
		}
	}
}

// receive takes what has arrived, and reports whether the answer is complete.
func (c *connection) receive(buffer []byte) (complete bool, err error) {
	for {
		n, err := unix.Read(c.fd, buffer)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return complete, nil
		case err != nil:
			return false, err
		case n == 0:
			return false, errors.New("the server has closed the connection")
		}
		done, reply, err := c.exchange.receive(buffer[:n])
		if err != nil {
			return false, err
		}
		if len(reply) > 0 {
			if err := c.send(reply); err != nil {
				return false, err
			}
		}
		complete = complete || done
		if n < len(buffer) {
			return complete, nil
		}
	}
}
