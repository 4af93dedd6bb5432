package sidecar_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/sidecar"
)

// call sends a JSON request to a port of flagd and returns the answer.
func call(t *testing.T, addr net.Addr, procedure, body string) (status int, answer string) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, addr.Network(), addr.String())
	}}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: patience}
	response, err := client.Post("http://localhost"+procedure, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// shortDir returns a new directory whose path is short enough for sockets in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // the paths of t.TempDir are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestFlagdPorts(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{
		"a":         flag(1),
		"computed":  `{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a","targeting":{"var":"x"}}`,
		"dependent": `{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a","prerequisites":[{"flag":"computed","variants":["a"]}]}`,
	})
	dir := shortDir(t)
	o := options(server.URL())
	o.FlagdAddr, o.FlagdSyncAddr = "unix:"+filepath.Join(dir, "rpc.sock"), "127.0.0.1:0"
	s := start(t, o)
	s.awaitReady()
	if status, answer := call(t, s.FlagdAddr(), "/flagd.evaluation.v2.Service/ResolveInt", `{"flagKey":"a"}`); status != http.StatusOK || !strings.Contains(answer, `"1"`) {
		t.Errorf("evaluation: %d, %s", status, answer)
	}
	for _, addr := range []net.Addr{s.FlagdAddr(), s.FlagdSyncAddr()} {
		if _, answer := call(t, addr, "/grpc.health.v1.Health/Check", `{}`); !strings.Contains(answer, "SERVING_STATUS_SERVING") {
			t.Errorf("health: %s", answer)
		}
	}
	if slices.Contains(s.conditions(), string(health.FlagNotInProcess)) {
		t.Error("flags are missed that no one has asked for")
	}
	_, answer := call(t, s.FlagdSyncAddr(), "/flagd.sync.v1.FlagSyncService/FetchAllFlags", `{}`)
	if !strings.Contains(answer, "computed") || strings.Contains(answer, "dependent") {
		t.Errorf("sync: %s", answer)
	}
	if !slices.Contains(s.conditions(), string(health.FlagNotInProcess)) {
		t.Errorf("conditions %v", s.conditions())
	}
	s.stop()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestFlagdPortsAreOffUnlessAskedFor(t *testing.T) {
	o := options(natstest.Start(t).URL())
	o.FlagdSyncAddr = listen.Off
	s := start(t, o)
	if s.FlagdAddr() != nil || s.FlagdSyncAddr() != nil {
		t.Errorf("addresses %v, %v", s.FlagdAddr(), s.FlagdSyncAddr())
	}
}

func TestAPortThatIsTakenIsAnError(t *testing.T) {
	o := options("nats://127.0.0.1:1")
	first := start(t, o)
	o.FlagdAddr = first.ManagementAddr().String()
	if s, err := sidecar.New(o); err == nil || !strings.Contains(err.Error(), "flagd") {
		if s != nil {
			s.Close()
		}
		t.Errorf("error %v", err)
	}
}
