package sidecar_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestManagementPathsAndMethods(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, `{"flags":{}}`)
	s := start(t, o)
	s.awaitReady()
	base := "http://" + s.ManagementAddr().String()
	cases := []struct {
		method, path string
		status       int
		contains     string
	}{
		{"GET", "/healthz", 200, `{"alive":true}`},
		{"GET", "/readyz", 200, `{"ready":true}`},
		{"GET", "/status", 200, `"environment":"prod"`},
		{"GET", "/metrics", 200, "flagside_ready 1"},
		{"HEAD", "/healthz", 200, ""},
		{"POST", "/status", 405, `"detail"`},
		{"DELETE", "/metrics", 405, `"detail"`},
		{"GET", "/", 404, `"detail"`},
		{"GET", "/healthz/", 404, `"detail"`},
		{"GET", "/debug/pprof/", 404, `"detail"`},
		{"POST", "/ofrep/v1/evaluate/flags", 404, `"detail"`},
	}
	for _, c := range cases {
		status, body, err := s.request(c.method, base+c.path, "")
		if err != nil {
			t.Fatal(err)
		}
		if status != c.status || !strings.Contains(body, c.contains) {
			t.Errorf("%s %s: %d, %q; want %d, %q", c.method, c.path, status, body, c.status, c.contains)
		}
	}
	response, err := http.Get(base + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
}
