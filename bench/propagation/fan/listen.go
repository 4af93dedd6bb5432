package fan

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// listener hears what a follower hears, and checks nothing of it. A machine can run many more of them, and what they cost the server is the same, but
// for the pings of followers.
type listener struct {
	fan  *fan
	conn net.Conn
	in   *bufio.Reader
}

// helloTimeout is how long a server may take to let a listener in: it is busy with others.
const helloTimeout = time.Minute

// listen logs in as a guest of the environment, as followers do without credentials, and returns when the server sends everything from now on.
func listen(ctx context.Context, f *fan, server, environment string) (*listener, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	l := &listener{fan: f, conn: conn, in: bufio.NewReader(conn)}
	return l, l.hello(environment)
}

func (l *listener) hello(environment string) error {
	if err := l.conn.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return err
	}
	if line, err := l.in.ReadSlice('\n'); err != nil || !bytes.HasPrefix(line, []byte("INFO ")) {
		return fmt.Errorf("a listener: the server begins with %.60q: %w", line, err)
	}
	_, err := fmt.Fprintf(l.conn, "CONNECT {\"verbose\":false,\"headers\":true,\"protocol\":1,\"user\":%q}\r\nSUB feed.%s.> 1\r\nSUB heartbeat.%s 2\r\nPING\r\n",
		environment, environment, environment)
	if err != nil {
		return err
	}
	line, err := l.in.ReadSlice('\n')
	if err != nil || !bytes.HasPrefix(line, []byte("PONG")) {
		return fmt.Errorf("a listener: the server answers %.60q: %w", line, err)
	}
	return l.conn.SetDeadline(time.Time{})
}

// run counts changes until the connection is closed.
func (l *listener) run() error {
	for {
		line, err := l.in.ReadSlice('\n')
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		case bytes.HasPrefix(line, []byte("HMSG ")):
			err = l.message(line)
		case bytes.HasPrefix(line, []byte("PING")):
			_, err = l.conn.Write([]byte("PONG\r\n"))
		case bytes.HasPrefix(line, []byte("-ERR")):
			err = fmt.Errorf("a listener: the server says %q", line)
		}
		if err != nil {
			return err
		}
	}
}

// message skips a message, whose first line ends with its size.
func (l *listener) message(line []byte) error {
	fields := bytes.Fields(line)
	size, err := strconv.Atoi(string(fields[len(fields)-1]))
	if err != nil {
		return err
	}
	change := bytes.HasPrefix(fields[1], []byte("feed."))
	if _, err := l.in.Discard(size + len("\r\n")); err != nil {
		return err
	}
	if change {
		l.fan.applied(1)
	}
	return nil
}
