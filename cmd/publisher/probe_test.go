package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func probed(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/healthz" {
		http.Error(w, "not ready: catching up", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func certificateOf(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "api.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// anotherCertificate is that of no server here.
func anotherCertificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "other.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestProbes(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(probed))
	defer plain.Close()
	secret := httptest.NewTLSServer(http.HandlerFunc(probed))
	defer secret.Close()
	_, port, err := net.SplitHostPort(secret.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	certificate := certificateOf(t, secret)
	other := anotherCertificate(t)
	addr := plain.Listener.Addr().String()
	for name, c := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"alive":                        {[]string{"healthz", "--admin-addr", addr}, 0, "ok", ""},
		"not ready":                    {[]string{"readyz", "--admin-addr", addr}, 1, "", "catching up"},
		"down":                         {[]string{"healthz", "--admin-addr", "127.0.0.1:1"}, 1, "", "127.0.0.1:1"},
		"by TLS":                       {[]string{"healthz", "--admin-addr", secret.Listener.Addr().String(), "--admin-cert", certificate}, 0, "ok", ""},
		"by TLS on every interface":    {[]string{"healthz", "--admin-addr", ":" + port, "--admin-cert", certificate}, 0, "ok", ""},
		"by TLS, another certificate":  {[]string{"healthz", "--admin-addr", secret.Listener.Addr().String(), "--admin-cert", other}, 1, "", "certificate"},
		"by TLS without a certificate": {[]string{"healthz", "--admin-addr", secret.Listener.Addr().String()}, 1, "", "400"},
		"an option of serve":           {[]string{"readyz", "--data-dir", "x"}, 2, "", "data-dir"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runCommand(t.Context(), c.args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s", code, stdout, stderr)
			}
		})
	}
}
