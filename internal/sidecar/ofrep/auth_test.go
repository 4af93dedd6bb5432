package ofrep_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/waiting"
)

const (
	token = "token-that-is-known-4711"
	page  = "http://shop.example"
)

// startGuarded runs a server with event streams that asks for the token in the file at path.
func startGuarded(t *testing.T) (s *system, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte("# shop\n"+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return startStreams(t, load(t, flags, ""), 4, func(o *ofrep.Options) { o.TokenFile, o.Origins = path, []string{page} }), path
}

func TestStrangersAreRefused(t *testing.T) {
	s, _ := startGuarded(t)
	for _, target := range []struct{ method, path string }{
		{"POST", single + "on"}, {"POST", bulkPath}, {"GET", "/ofrep/v1/sse"}, {"GET", "/nowhere"}, {"OPTIONS", bulkPath},
	} {
		for _, header := range []string{"X: y", "Authorization: Bearer wrong-" + token, "Authorization: Basic " + token, "X-API-Key: wrong"} {
			got := s.do(target.method, target.path, "", header, "Origin: "+page)
			if got.status != 401 || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") || got.body["errorCode"] != "GENERAL" {
				t.Errorf("%v with %q: %d, %v, %v", target, header, got.status, got.header, got.body)
			}
			requireDetails(t, got.body)
			if got.header.Get("Access-Control-Allow-Origin") != page {
				t.Errorf("%v: a page cannot read why it was refused", target)
			}
		}
	}
	s.stop()
	if strings.Contains(s.logs.String(), token) {
		t.Errorf("logged: %s", s.logs)
	}
}

func TestTokensAreAccepted(t *testing.T) {
	s, _ := startGuarded(t)
	for _, header := range []string{"Authorization: Bearer " + token, "X-API-Key: " + token} {
		for _, path := range []string{single + "on", bulkPath} {
			if got := s.do("POST", path, "{}", header); got.status != 200 {
				t.Errorf("%s with %q: %d", path, header, got.status)
			}
		}
		name, value, _ := strings.Cut(header, ": ")
		listen(t, s, "", http.Header{name: {value}})
	}
	preflight := http.Header{"Origin": {page}, "Access-Control-Request-Method": {"POST"}}
	if got, _ := ask(t, s, http.MethodOptions, bulkPath, "", preflight); got.StatusCode != 204 {
		t.Errorf("preflight: %d", got.StatusCode)
	}
}

// Tokens can be replaced while the server runs.
func TestTokensAreReplaced(t *testing.T) {
	s, path := startGuarded(t)
	if err := os.WriteFile(path, []byte("another-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "the new token to be taken", func() bool { return s.do("POST", single+"on", "{}", "X-API-Key: another-token").status == 200 })
	if got := s.do("POST", single+"on", "{}", "X-API-Key: "+token); got.status != 401 {
		t.Errorf("the former token is answered with %d", got.status)
	}
}
