package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/process"
)

const (
	connectionCap = 1024
	residentLimit = 48 << 20 // bytes
	hostileWait   = 30 * time.Second
	askGreeting   = "POST /ofrep/v1/evaluate/flags/greeting HTTP/1.1\r\nHost: localhost\r\n"
)

// victim is a sidecar that answers from a file, and a connection that is kept as an application does.
type victim struct {
	t       *testing.T
	sidecar *process.Sidecar
	kept    net.Conn
	most    int64 // bytes that were resident at most
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flags.json")
	flags := `{"flags":{"greeting":{"state":"ENABLED","variants":{"only":1},"defaultVariant":"only"}}}`
	if err := os.WriteFile(path, []byte(flags), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSystem(t)
	v := &victim{t: t, sidecar: s.startSidecar("prod", "", "--bootstrap-file", path)}
	s.awaitReady(v.sidecar)
	var err error
	if v.kept, err = v.dial(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.kept.Close() })
	v.answers()
	return v
}

func (v *victim) dial() (net.Conn, error) {
	c, err := net.DialTimeout("tcp", v.sidecar.OFREP, hostileWait)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(hostileWait))
}

// answers asks on the kept connection, which must be answered whatever others do, and notes how much memory is in use.
func (v *victim) answers() {
	v.t.Helper()
	if err := v.kept.SetDeadline(time.Now().Add(hostileWait)); err != nil {
		v.t.Fatal(err)
	}
	if status, err := exchange(v.kept, askGreeting+"Content-Length: 2\r\n\r\n{}"); status != http.StatusOK {
		v.t.Fatalf("the kept connection is answered with %d, %v\n%s", status, err, v.sidecar.Output())
	}
	resident, err := v.sidecar.ResidentBytes()
	if err != nil {
		v.t.Fatal(err)
	}
	v.most = max(v.most, resident)
}

// answersWhile asks again and again until the function returns.
func (v *victim) answersWhile(do func()) {
	v.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		v.answers()
		select {
		case <-done:
			return
		case <-tick.C:
		}
	}
}

// exchange sends a message and returns the status of the answer. What cannot be sent may have been refused before its end.
func exchange(c net.Conn, message string) (status int, err error) {
	_, sending := io.WriteString(c, message)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, errors.Join(sending, err)
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// Clients that send a header byte by byte, that send too much, and that open more connections than there may be cost neither the answers of
// others nor more memory than is set aside.
func TestHostileClients(t *testing.T) {
	slow, large, attempts := 100, 20, 2000
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		slow, large, attempts = 900, 500, 10_000
	}
	v := newVictim(t)
	var cut time.Duration
	v.answersWhile(func() { cut = v.dribble(slow) })
	v.answersWhile(func() { v.exceed(large) })
	var accepted, refused int
	v.answersWhile(func() { accepted, refused = v.flood(attempts) })
	if accepted+refused != attempts || accepted >= connectionCap || accepted < connectionCap/2 {
		t.Errorf("%d of %d connections are accepted and %d refused", accepted, attempts, refused)
	}
	if v.most > residentLimit {
		t.Errorf("%d MiB were resident", v.most>>20)
	}
	fmt.Printf("figures: slow=%d slow_cut_s=%.1f oversized=%d attempts=%d accepted=%d refused=%d rss_mb=%.1f\n",
		slow, cut.Seconds(), large, attempts, accepted, refused, float64(v.most)/(1<<20))
}

// dribble sends headers byte by byte on many connections, until the sidecar has ended all of them, and returns how long the last one was
// open.
func (v *victim) dribble(connections int) (longest time.Duration) {
	begun := time.Now()
	var clients sync.WaitGroup
	for range connections {
		clients.Go(func() {
			c, err := v.dial()
			if err != nil {
				v.t.Errorf("a slow client cannot connect: %v", err)
				return
			}
			defer func() { _ = c.Close() }()
			for i := 0; err == nil; i++ {
				_, err = io.WriteString(c, askGreeting[i%len(askGreeting):][:1])
				time.Sleep(100 * time.Millisecond) // how slow the client is
			}
			if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
				v.t.Error("a slow client is never cut off")
			}
		})
	}
	clients.Wait()
	return time.Since(begun)
}

// exceed sends headers and bodies that are too large.
func (v *victim) exceed(times int) {
	header := askGreeting + "Cookie: " + strings.Repeat("x", 64<<10) + "\r\n\r\n"
	body := askGreeting + "Content-Length: " + strconv.Itoa(8<<20) + "\r\n\r\n" + strings.Repeat(" ", 8<<20)
	for range times {
		for message, want := range map[string]int{header: http.StatusRequestHeaderFieldsTooLarge, body: http.StatusRequestEntityTooLarge} {
			c, err := v.dial()
			if err != nil {
				v.t.Errorf("no connection: %v", err)
				return
			}
			if status, err := exchange(c, message); status != want {
				v.t.Errorf("%d bytes are answered with %d, %v; want %d", len(message), status, err, want)
			}
			_ = c.Close()
		}
	}
}

// flood opens connections, asks on each and keeps those that are answered until the end.
func (v *victim) flood(attempts int) (accepted, refused int) {
	const workers = 64
	var next, no atomic.Int64
	var mu sync.Mutex
	var open []net.Conn // guarded by mu
	var clients sync.WaitGroup
	for range workers {
		clients.Go(func() {
			for next.Add(1) <= int64(attempts) {
				c, err := v.dial()
				if err != nil {
					v.t.Errorf("no connection: %v", err)
					return
				}
				// A refusal may be lost: what the client sends meanwhile resets the connection.
				status, err := exchange(c, askGreeting+"Content-Length: 2\r\n\r\n{}")
				if status == http.StatusOK {
					mu.Lock()
					open = append(open, c)
					mu.Unlock()
					continue
				}
				if status != 0 && status != http.StatusTooManyRequests {
					v.t.Errorf("a connection is answered with %d, %v", status, err)
				}
				no.Add(1)
				_ = c.Close()
			}
		})
	}
	clients.Wait()
	v.t.Cleanup(func() {
		for _, c := range open {
			_ = c.Close()
		}
	})
	return len(open), int(no.Load())
}
