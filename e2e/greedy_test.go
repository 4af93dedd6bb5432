package e2e_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/process"
)

const (
	greedyBudget = 16 << 20  // bytes that each port may have under way
	greedyOther  = 320 << 20 // bytes for buffers and goroutines of thousands of connections and requests, and for the collector's delay
	greedyFlags  = 100
)

// greedyPorts are the ports of a sidecar and of a publisher.
type greedyPorts struct {
	*system

	sidecar     *process.Sidecar
	flagd, sync string
}

func startGreedyPorts(t *testing.T) *greedyPorts {
	t.Helper()
	t.Setenv("FLAGSIDE_IN_FLIGHT_MEMORY", fmt.Sprint(greedyBudget>>10))
	g := &greedyPorts{system: newSystem(t)}
	g.startPublisher()
	g.createEnvironment("prod")
	for i := range greedyFlags { // 3 MB
		g.put("prod", fmt.Sprintf("flag-%03d", i), "", `"`+strings.Repeat("x", 30<<10)+`"`)
	}
	g.put("prod", "small", "", "1")
	a := addresses(t, 2)
	g.flagd, g.sync = a[0], a[1]
	g.sidecar = g.startSidecar("prod", "", "--flagd-addr", g.flagd, "--flagd-sync-addr", g.sync)
	g.awaitValue(g.sidecar, "small", "1")
	g.awaitValue(g.sidecar, fmt.Sprintf("flag-%03d", greedyFlags-1), `"`+strings.Repeat("x", 30<<10)+`"`)
	return g
}

// open opens connections that say something, and read nothing, until the test ends.
func (g *greedyPorts) open(addr string, connections int, text string) {
	g.t.Helper()
	for range connections {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			g.t.Fatal(err)
		}
		g.t.Cleanup(func() { _ = c.Close() })
		go func() { _, _ = io.WriteString(c, text) }() // it blocks when nothing is read, and fails when there is no place
	}
}

// unread opens connections of HTTP/2 with many requests each whose answers are not taken.
func (g *greedyPorts) unread(addr, procedure string) {
	g.t.Helper()
	for range 20 {
		c, err := faultnet.AskUnread(addr, procedure, 100)
		if err != nil {
			g.t.Fatal(err)
		}
		g.t.Cleanup(func() { _ = c.Close() })
	}
}

// attack is slow and greedy on every port.
func (g *greedyPorts) attack() {
	g.t.Helper()
	secret, err := os.ReadFile(g.publisher.TokenFile)
	if err != nil {
		g.t.Fatal(err)
	}
	const host = " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: greedy\r\n"
	g.unread(g.sync, "/flagd.sync.v1.FlagSyncService/SyncFlags")
	g.unread(g.sync, "/flagd.sync.v1.FlagSyncService/FetchAllFlags")
	g.unread(g.flagd, "/flagd.evaluation.v1.Service/ResolveAll")
	g.unread(g.flagd, "/flagd.evaluation.v1.Service/EventStream")
	for _, flagd := range []string{g.sync, g.flagd} {
		g.open(flagd, 1000, "GET /"+host) // which goes on never
	}
	g.open(g.sidecar.OFREP, 300, "GET /ofrep/v1/sse"+host+"\r\n")
	g.open(g.sidecar.OFREP, 300, strings.Repeat("POST /ofrep/v1/evaluate/flags"+host+"Content-Length: 2\r\n\r\n{}", 50))
	g.open(g.sidecar.OFREP, 800, "POST /ofrep/v1/evaluate/flags/small"+host+"Content-Length: 2\r\n\r\n{}")
	g.open(g.sidecar.Management, 200, "GET /metrics"+host)
	g.open(g.publisher.Admin, 100, "GET /api/v1/environments/prod/flags?limit=1000"+host+"Authorization: Bearer "+strings.TrimSpace(string(secret))+"\r\n\r\n")
	g.open(g.publisher.Admin, 200, "GET /healthz"+host+"\r\n")
	g.open(g.nats, 100, "")
}

// ask is a request that others make, on a connection of its own; it reports whether it is answered as it should be. A stream is answered when its
// first message is there.
func (g *greedyPorts) ask(ctx context.Context, method, target, media string, body []byte) error {
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, hostileWait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", media)
	request.Header.Set("User-Agent", "modest")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	begin := make([]byte, 8)
	if _, err := io.ReadFull(response.Body, begin[:2]); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d, %w", response.StatusCode, err)
	}
	if strings.HasPrefix(media, "application/connect") && begin[0] != 0 { // the end of the stream, with an error
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("the stream ends: %s", text)
	}
	return nil
}

// enveloped is a message of a stream of Connect.
func enveloped(message string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// latency returns the median time of evaluations on a connection that is kept.
func (g *greedyPorts) latency(client *http.Client) time.Duration {
	g.t.Helper()
	var all []time.Duration
	for range 300 {
		begun := time.Now()
		response, err := client.Post("http://"+g.sidecar.OFREP+"/ofrep/v1/evaluate/flags/small", "application/json", strings.NewReader("{}"))
		if err != nil {
			g.t.Fatalf("an evaluation of another client: %v", err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			g.t.Fatalf("an evaluation of another client has status %d", response.StatusCode)
		}
		all = append(all, time.Since(begun))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// resident returns the resident memory of a process.
func resident(t *testing.T, p *process.Process) int64 {
	t.Helper()
	bytes, err := p.ResidentBytes()
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// Slow and greedy clients of every port at once, which take all connections and streams and no answer, make neither program larger than what their
// ports may have under way, stop no evaluation of another client, and keep no other client out of any port.
func TestGreedyClientsOfEveryPortAtOnce(t *testing.T) {
	g := startGreedyPorts(t)
	kept := &http.Client{Transport: &http.Transport{}, Timeout: hostileWait}
	defer kept.CloseIdleConnections()
	alone := g.latency(kept)
	sidecar, publisher := resident(t, g.sidecar.Process), resident(t, g.publisher.Process)
	var sidecarMost, publisherMost int64
	look := func() {
		sidecarMost = max(sidecarMost, resident(t, g.sidecar.Process)-sidecar)
		publisherMost = max(publisherMost, resident(t, g.publisher.Process)-publisher)
	}

	g.attack()
	beside := g.latency(kept)
	look()
	const json, stream = "application/json", "application/connect+json"
	for _, c := range []struct {
		method, target, media string
		body                  []byte
	}{
		{http.MethodPost, g.sidecar.OFREP + "/ofrep/v1/evaluate/flags/small", json, []byte("{}")},
		{http.MethodGet, g.sidecar.OFREP + "/ofrep/v1/sse", json, nil},
		{http.MethodPost, g.flagd + "/flagd.evaluation.v1.Service/ResolveInt", json, []byte(`{"flagKey":"small"}`)},
		{http.MethodPost, g.flagd + "/flagd.evaluation.v1.Service/EventStream", stream, enveloped("{}")},
		{http.MethodPost, g.sync + "/flagd.sync.v1.FlagSyncService/GetMetadata", json, []byte("{}")},
		{http.MethodPost, g.sync + "/flagd.sync.v1.FlagSyncService/SyncFlags", stream, enveloped("{}")},
		{http.MethodGet, g.sidecar.Management + "/readyz", json, nil},
		{http.MethodGet, g.publisher.Admin + "/readyz", json, nil},
	} {
		var last error
		err := process.Await(g.ctx, "waiting for "+c.target, func() bool {
			look()
			last = g.ask(g.ctx, c.method, c.target, c.media, c.body)
			return last == nil
		})
		if err != nil {
			t.Fatalf("%v: %v", err, last)
		}
	}
	document := []byte(`{"state":"ENABLED","variants":{"only":2},"defaultVariant":"only"}`)
	var last error
	if err := process.Await(g.ctx, "waiting for a change", func() bool { // whose connection may be one that makes room
		_, last = g.publisher.PutFlag(g.ctx, "prod", "after", "", document)
		answer, err := g.sidecar.Evaluate(g.ctx, "after", `{}`)
		return err == nil && string(answer.Value) == "2"
	}); err != nil {
		t.Fatalf("%v: %v", err, last)
	}
	look()
	fmt.Printf("figures: sidecar_mb=%d publisher_mb=%d median_alone_us=%d median_beside_us=%d\n",
		sidecarMost>>20, publisherMost>>20, alone.Microseconds(), beside.Microseconds())
	if most := int64(2*3*greedyBudget + greedyOther); sidecarMost > most {
		t.Errorf("the sidecar grows by %d MB, want %d MB at most", sidecarMost>>20, most>>20)
	}
	if most := int64(2*greedyBudget + greedyOther); publisherMost > most {
		t.Errorf("the publisher grows by %d MB, want %d MB at most", publisherMost>>20, most>>20)
	}
}
