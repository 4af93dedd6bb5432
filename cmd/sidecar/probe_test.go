package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestProbes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			http.Error(w, `{"ready":false,"reasons":["catching up"]}`, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"alive":true}`))
	}))
	defer server.Close()
	addr := server.Listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name           string
		env            map[string]string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"alive", nil, []string{"healthz", "--management-addr", addr}, exitOK, `{"alive":true}`, ""},
		{"alive on every interface", nil, []string{"healthz", "--management-addr", ":" + port}, exitOK, `{"alive":true}`, ""},
		{"as the sidecar is configured", map[string]string{"FLAGSIDE_MANAGEMENT_ADDR": "0.0.0.0:" + port}, []string{"healthz"}, exitOK, "alive", ""},
		{"beside the sidecar's file", map[string]string{"FLAGSIDE_CONFIG": "/nonexistent"}, []string{"healthz", "--management-addr", addr}, exitOK, "alive", ""},
		{"not ready", nil, []string{"readyz", "--management-addr", addr}, exitFailure, "", "catching up"},
		{"no server", nil, []string{"healthz", "--management-addr", "127.0.0.1:1"}, exitFailure, "", "127.0.0.1:1"},
		{"unknown option", nil, []string{"readyz", "--environment", "prod"}, exitConfiguration, "", "environment"},
		{"help", nil, []string{"readyz", "--help"}, exitOK, "--management-addr", ""},
		{"check", nil, []string{"healthz", "--check"}, exitOK, "good", ""},
		{"print", nil, []string{"healthz", "--print-config"}, exitOK, "management-addr", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := command(t, c.env, c.args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s", code, stdout, stderr)
			}
		})
	}
}
