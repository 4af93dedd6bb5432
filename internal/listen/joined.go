package listen

import (
	"errors"
	"net"
	"sync"
)

// joined accepts the connections of several listeners. What accepts them is started by the first Accept and gone when Close has returned.
type joined struct {
	listeners []net.Listener
	accepted  chan accepted
	closed    chan struct{}

	start   sync.Once
	stop    sync.Once
	running sync.WaitGroup
}

// accepted is what one of the listeners returned.
type accepted struct {
	conn net.Conn
	err  error
}

// errMixed means that a port would be on loopback and not.
var errMixed = errors.New("the TCP addresses of a port must all be on loopback, or none of them")

func newJoined(listeners []net.Listener) (*joined, error) {
	var loopback, others bool
	for _, l := range listeners {
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			loopback, others = loopback || tcp.IP.IsLoopback(), others || !tcp.IP.IsLoopback()
		}
	}
	if loopback && others {
		return nil, errMixed
	}
	return &joined{listeners: listeners, accepted: make(chan accepted), closed: make(chan struct{})}, nil
}

// Accept returns the next connection, or error, of any of the listeners.
func (j *joined) Accept() (net.Conn, error) {
	j.start.Do(func() {
		for _, l := range j.listeners {
			j.running.Go(func() { j.pass(l) })
		}
	})
	select {
	case a := <-j.accepted:
		return a.conn, a.err
	case <-j.closed:
		return nil, net.ErrClosed
	}
}

// pass passes connections of a listener on until it is closed.
func (j *joined) pass(l net.Listener) {
	for {
		conn, err := l.Accept()
		select {
		case j.accepted <- accepted{conn, err}:
		case <-j.closed:
			if err == nil {
				conn.Close()
			}
			return
		}
	}
}

// Close closes all listeners.
func (j *joined) Close() error {
	err := net.ErrClosed
	j.stop.Do(func() {
		close(j.closed)
		err = closeAll(j.listeners)
		j.start.Do(func() {}) // nothing is accepted from now on
		j.running.Wait()
	})
	return err
}

// Addr returns the first address on TCP, or the first one if there is none.
func (j *joined) Addr() net.Addr {
	for _, l := range j.listeners {
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			return tcp
		}
	}
	return j.listeners[0].Addr()
}

// closeAll closes listeners and returns the first error.
func closeAll(listeners []net.Listener) (err error) {
	for _, l := range listeners {
		if failed := l.Close(); err == nil {
			err = failed
		}
	}
	return err
}
