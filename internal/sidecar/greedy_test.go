//go:build !race

package sidecar_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
)

// askUnread begins requests whose answers are not read, until the test ends.
func askUnread(t *testing.T, addr net.Addr, procedure string, requests int) net.Conn {
	t.Helper()
	c, err := faultnet.AskUnread(addr.String(), procedure, requests)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// resident returns the resident memory of the process, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("the resident memory is not known here")
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// manyFlags returns 500 flags, which are 200 KB as a document.
func manyFlags() map[string]string {
	all := make(map[string]string)
	for i := range 500 {
		all[fmt.Sprintf("flag-%03d", i)] = strings.TrimSuffix(flag(i), "}") + `,"metadata":{"text":"` + strings.Repeat("x", 300) + `"}}`
	}
	return all
}

// Clients that ask for much and take nothing, and those that are slow to ask, on every port at once, do not make a sidecar grow beyond what its
// ports may have under way, and evaluations of others go on. Without bounds 40 connections made it 670 MB larger.
func TestGreedyAndSlowClientsOfEveryPort(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(manyFlags())
	o := options(server.URL())
	o.FlagdAddr, o.FlagdSyncAddr = "127.0.0.1:0", "127.0.0.1:0"
	connections, requests, budget, look := 20, 100, 8<<20, 250*time.Millisecond // enough to exceed the limit if there were no budget
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		connections, budget, look = 40, 32<<20, 500*time.Millisecond
	}
	o.InFlight = int64(budget)
	s := start(t, o)
	s.awaitReady()
	before := resident(t)

	for range connections {
		askUnread(t, s.FlagdSyncAddr(), "/flagd.sync.v1.FlagSyncService/FetchAllFlags", requests)
		askUnread(t, s.FlagdSyncAddr(), "/flagd.sync.v1.FlagSyncService/SyncFlags", requests)
		askUnread(t, s.FlagdAddr(), "/flagd.evaluation.v1.Service/ResolveAll", requests)
		askUnread(t, s.FlagdAddr(), "/flagd.evaluation.v1.Service/EventStream", requests)
	}
	bulk := "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
	for range 10 * connections {
		send(t, s.OFREPAddr(), strings.Repeat(bulk, 100))                    // reads nothing
		send(t, s.OFREPAddr(), "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\n") // goes on never
	}
	for range 150 {
		send(t, s.ManagementAddr(), "GET /metrics HTTP/1.1\r\n")
	}

	var answered, refused atomic.Int64
	peak := 0
	var asking sync.WaitGroup
	stop := make(chan struct{})
	for _, port := range []port{
		{s.OFREPAddr(), http.MethodPost, "/ofrep/v1/evaluate/flags/flag-007"},
		{s.FlagdAddr(), http.MethodPost, "/flagd.evaluation.v1.Service/ResolveInt"},
	} {
		asking.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				response, err := client.Post("http://"+port.addr.String()+port.path, "application/json", strings.NewReader(`{"flagKey":"flag-007"}`))
				if err != nil {
					t.Errorf("%s: %v", port.path, err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if response.StatusCode == http.StatusOK {
					answered.Add(1)
				} else {
					refused.Add(1)
				}
			}
		})
	}
	for range 8 {
		peak = max(peak, resident(t)-before)
		time.Sleep(look)
	}
	close(stop)
	asking.Wait()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("resident memory grows by %d MB at most, tests included; heap in use %d MB, %d goroutines; %d evaluations answered meanwhile, %d refused",
		peak>>20, m.HeapInuse>>20, runtime.NumGoroutine(), answered.Load(), refused.Load())
	// Three ports have their budget, as much again is for the garbage collector, and the rest for buffers, goroutines and the clients here.
	if most := 2*3*budget + 192<<20; peak > most {
		t.Errorf("resident memory grows by %d MB, want %d MB at most", peak>>20, most>>20)
	}
	if answered.Load() < 100 || refused.Load() > 0 {
		t.Errorf("%d evaluations are answered and %d refused", answered.Load(), refused.Load())
	}
}

// send opens a connection that says something and reads nothing.
func send(t *testing.T, addr net.Addr, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() { _, _ = io.WriteString(c, text) }() // it blocks when nothing is read any more, or fails when there is no place
	return c
}

// Beyond what a port may have under way, large answers are refused with the time to wait, small ones are given, and all are once there is room.
func TestAnswersBeyondTheBudgetAreRefused(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(manyFlags())
	o := options(server.URL())
	o.FlagdAddr, o.FlagdSyncAddr, o.InFlight = "127.0.0.1:0", "127.0.0.1:0", 1<<20
	s := start(t, o)
	s.awaitReady()
	bulk := "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
	for _, c := range []struct {
		large, small port
		greedy       func() net.Conn
		status       int
		metric       string
	}{
		{
			port{s.OFREPAddr(), http.MethodPost, "/ofrep/v1/evaluate/flags"},
			port{s.OFREPAddr(), http.MethodPost, "/ofrep/v1/evaluate/flags/flag-007"},
			func() net.Conn { return send(t, s.OFREPAddr(), strings.Repeat(bulk, 100)) },
			http.StatusServiceUnavailable, "flagside_http_requests_shed_total",
		},
		{
			port{s.FlagdAddr(), http.MethodPost, "/flagd.evaluation.v1.Service/ResolveAll"},
			port{s.FlagdAddr(), http.MethodPost, "/flagd.evaluation.v1.Service/ResolveInt"},
			func() net.Conn { return askUnread(t, s.FlagdAddr(), "/flagd.evaluation.v1.Service/ResolveAll", 10) },
			http.StatusTooManyRequests, `flagside_rpc_requests_shed_total{server="flagd"}`, // as Connect writes RESOURCE_EXHAUSTED
		},
		{
			port{s.FlagdSyncAddr(), http.MethodPost, "/flagd.sync.v1.FlagSyncService/FetchAllFlags"},
			port{s.FlagdSyncAddr(), http.MethodPost, "/flagd.sync.v1.FlagSyncService/GetMetadata"},
			func() net.Conn {
				return askUnread(t, s.FlagdSyncAddr(), "/flagd.sync.v1.FlagSyncService/FetchAllFlags", 10)
			},
			http.StatusTooManyRequests, `flagside_rpc_requests_shed_total{server="flagd-sync"}`,
		},
	} {
		var greedy []net.Conn
		for range 20 {
			greedy = append(greedy, c.greedy())
		}
		ask := func(at port) (status int, later string) {
			t.Helper()
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: patience}
			response, err := client.Post("http://"+at.addr.String()+at.path, "application/json", strings.NewReader(`{"flagKey":"flag-007"}`))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			return response.StatusCode, response.Header.Get("Retry-After")
		}
		waiting.Until(t, "a refusal of "+c.large.path, func() bool {
			status, later := ask(c.large)
			if status == c.status && later == "" {
				t.Errorf("%s: a refusal does not say when to come back", c.large.path)
			}
			return status == c.status
		})
		if status, _ := ask(c.small); status != http.StatusOK {
			t.Errorf("%s: status %d while large answers are refused", c.small.path, status)
		}
		if _, metrics := browse(t, s.ManagementAddr(), http.MethodGet, "/metrics", "localhost"); !strings.Contains(metrics, "\n"+c.metric+" ") {
			t.Errorf("the metrics lack %s", c.metric)
		}
		for _, g := range greedy {
			g.Close()
		}
		waiting.Until(t, "an answer of "+c.large.path, func() bool {
			status, _ := ask(c.large)
			return status == http.StatusOK
		})
	}
}
