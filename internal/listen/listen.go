// Package listen opens the sockets that a process answers on: TCP or Unix sockets, with TLS or without.
//
// An address is host:port, unix: followed by the path of a socket, Off, or several of the first two, separated by commas.
package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// Off is the address of something that does not listen.
const Off = "off"

// DefaultMode is the mode of a Unix socket unless the options say otherwise: the user of the process and its group may connect.
const DefaultMode fs.FileMode = 0o660

const unixPrefix = "unix:"

// maxPath is the length of the longest path that a Unix socket can have.
const maxPath = 107

// Options say where to listen.
type Options struct {
	// Addr is host:port or unix:path, or several of them, separated by commas. It is required.
	Addr string
	// Option is how people change the address, such as --ofrep-addr, for the error when it is in use; empty names no option.
	Option string
	// Mode is the mode of a Unix socket; 0 means DefaultMode.
	Mode fs.FileMode
	// TLS is used on TCP and never on Unix sockets, which the file system protects. Its zero value means no TLS.
	TLS TLS
	// HTTP1Only keeps TLS from offering HTTP/2 to clients, for a server that speaks HTTP/1.1 only.
	HTTP1Only bool
	// MaxConnections is how many connections may be open, and Places says who gets one when there are as many; the others are closed at
	// once. 0 means that nothing bounds them.
	MaxConnections int
	// WriteStall is how long a client may take no byte of what is written to a connection, which is cut off then. It goes before deadlines that
	// a server sets, and needs MaxConnections. 0 leaves it to the server.
	WriteStall time.Duration
	// Refused is called for every connection that is closed because too many are open; nil is nothing.
	Refused func()
	// Logger is told of certificate files that cannot be used any more.
	Logger zerolog.Logger
}

// protocols returns what TLS offers to clients, the best first.
func (o Options) protocols() []string {
	if o.HTTP1Only {
		return []string{"http/1.1"}
	}
	return []string{"h2", "http/1.1"}
}

// Addresses returns the addresses that an address consists of: itself, or those that commas separate.
func Addresses(addr string) []string { return strings.Split(addr, ",") }

// Path returns the path of a Unix socket and whether the address is one.
func Path(addr string) (path string, ok bool) { return strings.CutPrefix(addr, unixPrefix) }

// Validate returns why nothing can listen at an address, as far as that can be said without trying. Off is valid, but not among others.
func Validate(addr string) error {
	if addr == Off {
		return nil
	}
	seen := make(map[string]bool)
	for _, one := range Addresses(addr) {
		if seen[one] {
			return fmt.Errorf("address %q is given twice: leave one out", one)
		}
		seen[one] = true
		if err := validateOne(one); err != nil {
			return err
		}
	}
	return nil
}

func validateOne(addr string) error {
	if path, ok := Path(addr); ok {
		return validatePath(path)
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:8013 or unix:/run/flagside/rpc.sock", addr)
	}
	return nil
}

func validatePath(path string) error {
	switch {
	case path == "":
		return errors.New("unix: needs the path of a socket, such as unix:/run/flagside/rpc.sock")
	case strings.HasPrefix(path, "@"):
		return fmt.Errorf("%q is an abstract socket, which no file mode protects: use a path", path)
	case len(path) > maxPath:
		return fmt.Errorf("the path %q of a socket is longer than %d bytes, which is all that the system allows", path, maxPath)
	default:
		return nil
	}
}

// InUse adds what to do to the error of an address that another process listens on, and returns every other error as it is. Option names
// the option that has the address; empty names none.
func InUse(err error, option string) error {
	if err == nil || option == "" || !errors.Is(err, syscall.EADDRINUSE) && !strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) {
		return err
	}
	return fmt.Errorf("%w: stop the process that listens there, or give another address with %s", err, option)
}

// Open listens at all addresses of the options as one listener, whose address is the first one on TCP. A socket that a process left behind which
// is gone is replaced; one that someone answers on, and any other file, is an error. So are addresses on loopback beside others on TCP: what a
// port asks of browsers goes by where it listens. Closing the listener removes its sockets.
func Open(ctx context.Context, o Options) (net.Listener, error) {
	if err := Validate(o.Addr); err != nil {
		return nil, err
	}
	var all []net.Listener
	limit := newLimit(o)
	for _, addr := range Addresses(o.Addr) {
		l, err := o.openOne(ctx, addr, limit)
		if err != nil {
			_ = closeAll(all) // the first error is told
			return nil, err
		}
		all = append(all, l)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	j, err := newJoined(all)
	if err != nil {
		return nil, errors.Join(err, closeAll(all))
	}
	return j, nil
}

// Reachable returns an address to connect to for one to listen at, so that a program and its probe can be given the same.
func Reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}

func (o Options) openOne(ctx context.Context, addr string, limit func(net.Listener) net.Listener) (net.Listener, error) {
	if path, ok := Path(addr); ok {
		l, err := openUnix(ctx, path, o.Mode)
		if err != nil {
			return nil, err
		}
		return limit(l), nil
	}
	config, err := o.TLS.Config(o.protocols(), o.Logger)
	if err != nil {
		return nil, err
	}
	var listener net.ListenConfig
	l, err := listener.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, InUse(err, o.Option)
	}
	return withTLS(limit(l), config), nil
}
