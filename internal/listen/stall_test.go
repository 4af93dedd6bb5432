package listen_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/listen"
)

// A client that takes what is written, however slowly, gets all of it; one that takes nothing is cut off.
func TestAStalledClientIsCutOff(t *testing.T) {
	t.Parallel()
	l := open(t, listen.Options{Addr: "127.0.0.1:0", MaxConnections: 2, WriteStall: 2 * time.Second})
	content := bytes.Repeat([]byte("x"), 32<<20)
	serve := func() chan error {
		written := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if err == nil {
				_, err = c.Write(content)
				c.Close()
			}
			written <- err
		}()
		return written
	}
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	written := serve()
	slow := dial()
	for got := 0; got < len(content); {
		n, err := io.CopyN(io.Discard, slow, 8<<20)
		if got += int(n); err != nil {
			t.Fatalf("a slow client has %d bytes, then %v", got, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := <-written; err != nil {
		t.Errorf("a slow client: %v", err)
	}
	written = serve()
	dial()
	select {
	case err := <-written:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a client that takes nothing: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("a client that takes nothing is served without end")
	}
}
