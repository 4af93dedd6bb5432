package webhook

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/internal/publisher/egress"
)

// hook returns a webhook for an address on this machine.
func hook(t testing.TB, address string) Webhook {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return Webhook{Name: "hook", URL: u, Format: FormatCloudEvents, AllowPrivate: egress.PrivateRanges(), Timeout: 10 * time.Second}
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// neverAnswers takes a request and keeps it.
func neverAnswers(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// What a receiver answers, and what becomes of it.
func TestAnswers(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	for status, want := range map[int]string{
		200: "", 201: "", 202: "", 204: "", 299: "",
		301: "redirects are not followed", 302: "redirects are not followed", 307: "redirects are not followed", 308: "redirects are not followed",
		400: "400 Bad Request", 410: "it wants no more events", 429: "429 Too Many Requests", 500: "500 Internal Server Error",
	} {
		address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other)
			w.WriteHeader(status)
		})
		r := newReceiver(hook(t, address+"/topsecret?key=topsecret"), "i", nil)
		err := r.try(t.Context(), change())
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "topsecret")) {
			t.Errorf("%d: %v, want %q", status, err, want)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests followed a redirect", n)
	}
}

// A name that leads to an address which is not public is refused when it is dialled, whatever the name was when the file was read. Errors say nothing of
// the address but its host.
func TestPrivateAddressesAreRefusedWhenDialled(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	address := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f000001"} {
		w := hook(t, strings.Replace(address, "127.0.0.1", host, 1)+"/topsecret")
		w.AllowPrivate = nil
		err := newReceiver(w, "i", nil).try(t.Context(), change())
		if err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	if err := newReceiver(hook(t, address), "i", nil).try(t.Context(), change()); err != nil || asked.Load() != 1 {
		t.Errorf("with allowPrivate: %v", err)
	}
}

// A proxy that the environment names is not used: it would resolve names and dial without our refusals.
func TestProxiesAreNotUsed(t *testing.T) {
	var proxied atomic.Int64
	t.Setenv("HTTP_PROXY", serve(t, func(http.ResponseWriter, *http.Request) { proxied.Add(1) }))
	w := hook(t, "http://receiver.invalid/topsecret")
	if err := newReceiver(w, "i", nil).try(t.Context(), change()); err == nil || strings.Contains(err.Error(), "topsecret") || proxied.Load() != 0 {
		t.Errorf("%d requests through the proxy, %v", proxied.Load(), err)
	}
}

// Certificates are verified, with those of caFile if there is one.
func TestCertificatesAreVerified(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	w := hook(t, s.URL)
	if err := newReceiver(w, "i", nil).try(t.Context(), change()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	w.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := newReceiver(w, "i", nil).try(t.Context(), change()); err != nil {
		t.Errorf("with caFile: %v", err)
	}
}

// answering is a receiver that answers with these bytes.
func answering(t *testing.T, bytes string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	serving.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = io.WriteString(c, bytes)
			_ = c.Close()
		}
	})
	return "http://" + listener.Addr().String()
}

// Errors say nothing of what a receiver answers but its status: it may be something else than a receiver, inside the network, or show the address.
func TestErrorsShowNoAnswer(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"", "SSH-2.0-topsecret\r\n", "HTTP/1.1 topsecret x\r\n\r\n", "\x00\x00\x00\x04topsecret",
		"HTTP/1.1 302 Found\r\nLocation: /topsecret%zz\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://[topsecret\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\ntopsecret\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: topsecret\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: topsecret\r\n\r\n",
		"HTTP/1.1 999 topsecret\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("topsecret", 10_000) + "\r\n\r\n",
		strings.Repeat("HTTP/1.1 103 topsecret\r\nLink: topsecret\r\n\r\n", 20),
	} {
		err := newReceiver(hook(t, answering(t, answer)+"/topsecret"), "i", nil).try(t.Context(), change())
		if err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%.80q: %v", answer, err)
		}
	}
}

// A receiver that is reached over http must be in allowPrivate, whatever its name leads to: elsewhere events would go in clear.
func TestNothingIsSentInClearToPublicAddresses(t *testing.T) {
	t.Parallel()
	inClear, encrypted := hook(t, "http://receiver.test/"), hook(t, "https://receiver.test/")
	for address, want := range map[string][2]bool{ // in clear, encrypted
		"93.184.215.14:80": {false, true}, "[2606:2800:21f:cb07::1]:80": {false, true}, "10.0.0.1:80": {true, true}, "[::ffff:10.0.0.1]:80": {true, true}, "[fd00::1]:80": {true, true},
	} {
		a := netip.MustParseAddrPort(address).Addr()
		if got := [2]bool{inClear.permit(a) == nil, encrypted.permit(a) == nil}; got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

// An answer without end, and one that never comes, end with the time limit. 2xx in time counts, however slowly something follows.
func TestSlowReceivers(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"silent": neverAnswers,
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1000)); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				time.Sleep(time.Millisecond)
			}
		},
		"trickling": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte("x")); err != nil || http.NewResponseController(w).Flush() != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := hook(t, serve(t, handler))
			w.Timeout = time.Second
			err := newReceiver(w, "i", nil).try(t.Context(), change())
			if name == "silent" && (err == nil || err.Error() != "the receiver did not answer within 1s") || name != "silent" && err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for field, want := range map[string]time.Duration{
		"": 0, "x": 0, "-1": 0, "0": 0, "7": 7 * time.Second, "3601": time.Hour, "99999999999999": time.Hour, "4294967295": time.Hour,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
		now.Add(48 * time.Hour).Format(http.TimeFormat): time.Hour,
	} {
		if got := egress.RetryAfter(field, now); got != want {
			t.Errorf("%q: %s, want %s", field, got, want)
		}
	}
}

// inMemory is a receiver within a bubble of virtual time.
type inMemory struct{ connections chan net.Conn }

func (m inMemory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case m.connections <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m inMemory) Accept() (net.Conn, error) {
	c, ok := <-m.connections
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (m inMemory) Close() error   { close(m.connections); return nil }
func (m inMemory) Addr() net.Addr { return &net.UnixAddr{} }

// inBubble calls f in virtual time, with a webhook whose receiver answers as the handler does.
func inBubble(t *testing.T, handler http.HandlerFunc, f func(t *testing.T, r *receiver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := inMemory{make(chan net.Conn)}
		s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Hour}
		var serving sync.WaitGroup
		serving.Go(func() { _ = s.Serve(m) })
		r := newReceiver(hook(t, "http://receiver.test/"), "i", m.dial)
		f(t, r)
		r.close()
		_ = s.Close()
		serving.Wait()
	})
}

// A receiver that is down for an hour gets everything in order within a minute and a half of its return, and meanwhile is asked about once a minute, however
// many environments wait for it. Some answers are slow, and some are 500.
func TestDownForAnHour(t *testing.T) {
	t.Parallel()
	const environments, events = 3, 20
	var mu sync.Mutex
	got := make(map[string][]string)
	var asked, refused int
	var down, back time.Time
	random := rand.New(rand.NewPCG(1, 1))
	judge := func(id string) (status int, slow bool) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		if now := time.Now(); now.After(down) && now.Before(back) {
			refused++
			return http.StatusBadGateway, false
		}
		fate := random.IntN(10)
		if fate == 0 {
			return http.StatusInternalServerError, false
		}
		environment, _, _ := strings.Cut(id, "/")
		got[environment] = append(got[environment], id)
		if fate == 1 { // it has it, and its answer is lost
			return http.StatusGatewayTimeout, false
		}
		return http.StatusOK, fate == 2
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		status, slow := judge(r.Header.Get(idHeader))
		if slow {
			time.Sleep(5 * time.Second)
		}
		w.WriteHeader(status)
	}
	inBubble(t, handler, func(t *testing.T, r *receiver) {
		t.Helper()
		began := time.Now()
		down, back = began.Add(10*time.Second), began.Add(10*time.Second+time.Hour)
		var wg sync.WaitGroup
		for e := range environments {
			wg.Go(func() {
				for n := range events {
					o := change()
					o.environment = fmt.Sprint(e)
					o.id = fmt.Sprintf("%d/%02d", e, n)
					if err := r.deliver(t.Context(), o, func(error) {}); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
		if took := time.Since(back); took < 0 || took > 30*time.Minute {
			t.Errorf("it took %s after the return", took)
		}
	})
	for e := range environments {
		seen, newest := make(map[string]bool), ""
		for _, id := range got[fmt.Sprint(e)] {
			if id < newest {
				t.Errorf("environment %d: %s after %s", e, id, newest)
			}
			seen[id], newest = true, id
		}
		if len(seen) != events {
			t.Errorf("environment %d: %d of %d events arrived", e, len(seen), events)
		}
	}
	if refused < 40 || refused > 100 {
		t.Errorf("the receiver was asked %d times in the hour that it was down", refused)
	}
	t.Logf("%d requests, %d of them in the hour", asked, refused)
}

// A receiver that asks to be left alone is, and no longer than an hour.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	var asked []time.Time
	handler := func(w http.ResponseWriter, _ *http.Request) {
		asked = append(asked, time.Now())
		switch len(asked) {
		case 1:
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.Header().Set("Retry-After", "100000")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}
	inBubble(t, handler, func(t *testing.T, r *receiver) {
		t.Helper()
		if err := r.deliver(t.Context(), change(), func(error) {}); err != nil {
			t.Fatal(err)
		}
	})
	if len(asked) != 3 {
		t.Fatalf("asked %d times", len(asked))
	}
	if first, second := asked[1].Sub(asked[0]), asked[2].Sub(asked[1]); first < 10*time.Minute || first > 15*time.Minute || second < time.Hour || second > 90*time.Minute {
		t.Errorf("asked again after %s and %s", first, second)
	}
}

// An attempt that takes too long is another failure, and the end of the context ends everything.
func TestDeliveryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	inBubble(t, neverAnswers, func(t *testing.T, r *receiver) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var failures []error
		err := r.deliver(ctx, change(), func(err error) { failures = append(failures, err) })
		if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		if len(failures) < 5 || failures[0].Error() != "the receiver did not answer within 10s" {
			t.Errorf("%d failures, the first: %v", len(failures), failures)
		}
		synctest.Wait()
	})
}
