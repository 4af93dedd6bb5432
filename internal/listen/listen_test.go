package listen_test

import (
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flagside/flagside/internal/listen"
)

// socket returns the address of a socket in a directory of its own, whose path is short.
func socket(t *testing.T) (path, addr string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // the paths of t.TempDir are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "a.sock")
	return path, "unix:" + path
}

func open(t *testing.T, o listen.Options) net.Listener {
	t.Helper()
	l, err := listen.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// greet accepts one connection, greets on it and closes it.
func greet(t *testing.T, l net.Listener) (greeted chan error) {
	t.Helper()
	greeted = make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			greeted <- err
			return
		}
		defer c.Close()
		_, err = io.WriteString(c, "hello")
		greeted <- err
	}()
	return greeted
}

func TestTCP(t *testing.T) {
	l := open(t, listen.Options{Addr: "127.0.0.1:0"})
	greeted := greet(t, l)
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); string(got) != "hello" || err != nil || <-greeted != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestUnixSocket(t *testing.T) {
	for want, given := range map[fs.FileMode]fs.FileMode{listen.DefaultMode: 0, 0o600: 0o600} {
		path, addr := socket(t)
		l := open(t, listen.Options{Addr: addr, Mode: given})
		greeted := greet(t, l)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("mode %v, %v; want %v", info.Mode(), err, want)
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got, err := io.ReadAll(c); string(got) != "hello" || err != nil || <-greeted != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if l.Close(); !isGone(path) {
			t.Error("the socket stays after Close")
		}
	}
}

func isGone(path string) bool {
	_, err := os.Lstat(path)
	return os.IsNotExist(err)
}

// leaveSocket leaves a socket behind as a process does that was killed.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if isGone(path) {
		t.Fatal("the socket is gone")
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	path, addr := socket(t)
	leaveSocket(t, path)
	open(t, listen.Options{Addr: addr})
}

// TestOneOfManyGetsTheSocket lets many replace a socket that was left behind, all at once.
func TestOneOfManyGetsTheSocket(t *testing.T) {
	for range 50 {
		path, addr := socket(t)
		leaveSocket(t, path)
		var got atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if l, err := listen.Open(t.Context(), listen.Options{Addr: addr}); err == nil {
					got.Add(1)
					t.Cleanup(func() { l.Close() })
				}
			})
		}
		all.Wait()
		if got.Load() != 1 {
			t.Fatalf("%d listen, want one", got.Load())
		}
	}
}

// TestTheSocketOfAnotherStays closes a listener whose socket someone has replaced.
func TestTheSocketOfAnotherStays(t *testing.T) {
	path, addr := socket(t)
	l := open(t, listen.Options{Addr: addr})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	open(t, listen.Options{Addr: addr})
	if l.Close(); isGone(path) {
		t.Error("the socket of another was removed")
	}
}

func TestWhatIsInUseStays(t *testing.T) {
	path, addr := socket(t)
	open(t, listen.Options{Addr: addr})
	if _, err := listen.Open(t.Context(), listen.Options{Addr: addr}); err == nil || !strings.Contains(err.Error(), "another process answers") {
		t.Errorf("error %v", err)
	}
	if isGone(path) {
		t.Error("the socket of another was removed")
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen.Open(t.Context(), listen.Options{Addr: "unix:" + file}); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("error %v", err)
	}
	if isGone(file) {
		t.Error("a file was removed")
	}
}

func TestValidate(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:8013", ":8013", "unix:/run/x.sock", "unix:x.sock", listen.Off} {
		if err := listen.Validate(addr); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for addr, want := range map[string]string{
		"":                                  "is not an address",
		"127.0.0.1":                         "is not an address",
		"unix:":                             "needs the path",
		"unix:@x":                           "abstract",
		"unix:/" + strings.Repeat("x", 107): "longer than",
	} {
		if err := listen.Validate(addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want one with %q", addr, err, want)
		}
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	refused := make(chan struct{}, 10)
	l := open(t, listen.Options{Addr: "127.0.0.1:0", MaxConnections: 1, Refused: func() { refused <- struct{}{} }})
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	first := <-accepted
	dial()
	<-refused
	first.Close()
	first.Close()
	dial()
	second := <-accepted
	defer second.Close()
	dial()
	<-refused
}
