package sidecar_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/natstest"
)

// certificate writes a certificate for 127.0.0.1 and returns its files, and what clients need to believe it.
func certificate(t *testing.T) (listen.TLS, *tls.Config) {
	t.Helper()
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	key, err := x509.MarshalPKCS8PrivateKey(lender.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pool := x509.NewCertPool()
	pool.AddCert(lender.Certificate())
	return listen.TLS{
		Certificate: write("tls.crt", "CERTIFICATE", lender.Certificate().Raw), Key: write("tls.key", "PRIVATE KEY", key),
	}, &tls.Config{RootCAs: pool}
}

// TestClientsOfTLSChooseTheirProtocol asks every port with a client that takes HTTP/2 where it is offered, as most do.
func TestClientsOfTLSChooseTheirProtocol(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"a": flag(1)})
	o := options(server.URL())
	o.FlagdAddr, o.FlagdSyncAddr = "127.0.0.1:0", "127.0.0.1:0"
	var trusted *tls.Config
	o.TLS, trusted = certificate(t)
	s := start(t, o)
	s.awaitReady()
	for _, test := range []struct{ url, body, protocol, want string }{
		{fmt.Sprintf("https://%s/ofrep/v1/evaluate/flags/a", s.OFREPAddr()), `{}`, "HTTP/1.1", `"value":1`},
		{fmt.Sprintf("https://%s/flagd.evaluation.v2.Service/ResolveInt", s.FlagdAddr()), `{"flagKey":"a"}`, "HTTP/2.0", `"1"`},
		{fmt.Sprintf("https://%s/flagd.sync.v1.FlagSyncService/FetchAllFlags", s.FlagdSyncAddr()), `{}`, "HTTP/2.0", "flags"},
	} {
		transport := &http.Transport{TLSClientConfig: trusted.Clone(), ForceAttemptHTTP2: true}
		t.Cleanup(transport.CloseIdleConnections)
		client := http.Client{Transport: transport, Timeout: patience}
		response, err := client.Post(test.url, "application/json", strings.NewReader(test.body))
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		content, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.Proto != test.protocol || !strings.Contains(string(content), test.want) {
			t.Errorf("%s: %s %s, %v: %s", test.url, response.Proto, response.Status, err, content)
		}
	}
}
