package listen

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// answering serves what l accepts, and returns a function that asks over a network at an address.
func answering(t *testing.T, l net.Listener) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Context().Value(http.LocalAddrContextKey).(net.Addr).Network())
	}), ReadHeaderTimeout: time.Minute}
	go func() { ended <- Serve(ctx, server, l, time.Minute) }()
	return func() error {
		cancel()
		return <-ended
	}
}

func askOver(t *testing.T, network, addr string) (string, error) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// One listener answers on TCP and on a Unix socket at once; closing it closes both.
func TestSeveralAddresses(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	l, err := Open(t.Context(), Options{Addr: "unix:" + path + ",127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if l.Addr().Network() != "tcp" {
		t.Errorf("the address is %s, not the one on TCP", l.Addr())
	}
	stop := answering(t, l)
	for network, at := range map[string]string{"tcp": addr, "unix": path} {
		if got, err := askOver(t, network, at); err != nil || got != network {
			t.Errorf("over %s: %q, %v", network, got, err)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	for network, at := range map[string]string{"tcp": addr, "unix": path} {
		if got, err := askOver(t, network, at); err == nil {
			t.Errorf("over %s after the end: %q", network, got)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepted after the end: %v", err)
	}
}

// A listener that was never asked to accept leaves nothing behind.
func TestSeveralAddressesCloseUnused(t *testing.T) {
	t.Parallel()
	l, err := Open(t.Context(), Options{Addr: "127.0.0.1:0,unix:" + socketPath(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepted after the end: %v", err)
	}
}

// If one address cannot be had, none is kept.
func TestSeveralAddressesOrNone(t *testing.T) {
	t.Parallel()
	taken, err := Open(t.Context(), Options{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	path := socketPath(t)
	if l, err := Open(t.Context(), Options{Addr: "unix:" + path + "," + taken.Addr().String()}); err == nil {
		l.Close()
		t.Fatal("an address was taken twice")
	}
	l, err := Open(t.Context(), Options{Addr: "unix:" + path})
	if err != nil {
		t.Fatalf("the socket is still there: %v", err)
	}
	l.Close()
}

// The places of a port are those of all its addresses together.
func TestSeveralAddressesShareTheirPlaces(t *testing.T) {
	t.Parallel()
	path, refused := socketPath(t), make(chan struct{}, 8)
	l, err := Open(t.Context(), Options{Addr: "127.0.0.1:0,unix:" + path, MaxConnections: 1, Refused: func() { refused <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	for _, at := range []string{"tcp " + l.Addr().String(), "unix " + path} {
		network, addr, _ := strings.Cut(at, " ")
		var d net.Dialer
		c, err := d.DialContext(t.Context(), network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	<-refused
}

// A port on loopback asks for a host, one for the network may not: in whatever order they are given, they are not one port.
func TestSeveralAddressesAreAllOnLoopbackOrNone(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0,0.0.0.0:0", "0.0.0.0:0,127.0.0.1:0", "0.0.0.0:0,unix:" + socketPath(t) + ",127.0.0.1:0"} {
		if l, err := Open(t.Context(), Options{Addr: addr}); !errors.Is(err, errMixed) {
			t.Errorf("%s: %v", addr, err)
			if err == nil {
				l.Close()
			}
		}
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{":1": "localhost:1", "0.0.0.0:1": "localhost:1", "[::]:1": "localhost:1", "127.0.0.1:1": "127.0.0.1:1", "x": "x"} {
		if got := Reachable(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestValidateSeveral(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:1,off", "127.0.0.1:1,", ",127.0.0.1:1", "127.0.0.1:1,127.0.0.1:1", "unix:a,unix:"} {
		if Validate(addr) == nil {
			t.Errorf("%q is valid", addr)
		}
	}
	if err := Validate("127.0.0.1:1,unix:/run/a.sock,[::1]:1"); err != nil {
		t.Error(err)
	}
}

// socketPath returns a path that is short enough for a socket.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // the paths of t.TempDir are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s.sock")
}
