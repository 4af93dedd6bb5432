package publisher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/listen"
	flagsync "github.com/flagside/flagside/sync"
)

// localSocket is the socket in the data directory on which commands beside it reach the streams of a publisher that runs. Its mode lets in
// who runs the publisher: such a user can read the streams and the keys anyway.
const localSocket = "publisher.sock"

// localTimeout bounds the greeting on the socket.
const localTimeout = 5 * time.Second

// serveLocal lets commands beside the data directory use the embedded NATS server as the publisher does, until ctx ends.
func (p *Publisher) serveLocal(ctx context.Context) error {
	path := filepath.Join(p.options.DataDir, localSocket)
	l, err := listen.Open(ctx, listen.Options{Addr: "unix:" + path, Mode: 0o600, Logger: p.logger})
	if err != nil { // the publisher serves all the same
		p.logger.Warn().Err(err).Msg("publisher backup cannot reach this publisher while it runs: give it --nats and the NKey of a publisher")
		<-ctx.Done()
		return nil
	}
	var connections sync.WaitGroup
	defer connections.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		client, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			p.logger.Warn().Err(err).Msg("a command beside the data directory was not let in")
			if !lifecycle.Pause(ctx, time.Second) {
				return nil
			}
			continue
		}
		connections.Go(func() { p.spliceLocal(ctx, client) })
	}
}

// spliceLocal tells a client how to log in and connects it with the NATS server.
func (p *Publisher) spliceLocal(ctx context.Context, client net.Conn) {
	defer client.Close()
	if !isOwner(client) {
		return
	}
	user, password := p.server.User()
	_ = client.SetWriteDeadline(time.Now().Add(localTimeout))
	if _, err := fmt.Fprintf(client, "%s %s\n", user, password); err != nil {
		return
	}
	_ = client.SetWriteDeadline(time.Time{})
	server, err := p.server.InProcessConn()
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
	_ = client.Close()
	both.Wait()
}

// localServer is the embedded server of a publisher that runs, reached by its socket.
type localServer struct{ path string }

// errNotReached means that a publisher uses a data directory and cannot be asked.
var errNotReached = errors.New("the publisher that uses the data directory cannot be reached through it: run this as the user that runs the publisher, " +
	"or give --nats with its address, --nats-nkey with the seed of a publisher, and --keys")

// greeted connects and returns how to log in.
func (s localServer) greeted() (conn net.Conn, user, password string, err error) {
	dialer := net.Dialer{Timeout: localTimeout}
	if conn, err = dialer.DialContext(context.Background(), "unix", s.path); err != nil {
		return nil, "", "", fmt.Errorf("%w: %w", errNotReached, err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(localTimeout))
	line, err := readLine(conn)
	user, password, ok := strings.Cut(line, " ")
	if err == nil && !ok {
		err = errors.New("it does not answer as a publisher does")
	}
	if err != nil {
		return nil, "", "", errors.Join(fmt.Errorf("%w: %w", errNotReached, err), conn.Close())
	}
	return conn, user, password, conn.SetReadDeadline(time.Time{})
}

// readLine reads a line and nothing behind it.
func readLine(from io.Reader) (string, error) {
	const most = 1 << 10
	var line strings.Builder
	one := make([]byte, 1)
	for line.Len() < most {
		if _, err := io.ReadFull(from, one); err != nil {
			return "", err
		}
		if one[0] == '\n' {
			return line.String(), nil
		}
		line.WriteByte(one[0])
	}
	return "", errors.New("a line without an end")
}

// InProcessConn returns a connection to the server.
func (s localServer) InProcessConn() (net.Conn, error) {
	conn, _, _, err := s.greeted()
	return conn, err
}

// options returns how to connect.
func (s localServer) options() (flagsync.ConnectOptions, error) {
	conn, user, password, err := s.greeted()
	if err != nil {
		return flagsync.ConnectOptions{}, err
	}
	return flagsync.ConnectOptions{Server: s, User: user, Password: password, Name: connectionName}, conn.Close()
}
