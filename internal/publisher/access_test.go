package publisher_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

// certificate writes a certificate for 127.0.0.1 that confirms itself.
func certificate(t *testing.T) (certificateFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "publisher"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificateFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certificateFile: {Type: "CERTIFICATE", Bytes: signed}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificateFile, keyFile
}

// trusting returns a client for a server with a certificate.
func trusting(t testing.TB, file string) *http.Client {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
}

// Beyond loopback the API needs TLS. There, status and metrics are for those who may read.
func TestTheAPIBeyondLoopback(t *testing.T) {
	t.Parallel()
	open := publisher.Options{DataDir: t.TempDir(), AdminAddr: "0.0.0.0:0", NATSAddr: "127.0.0.1:0"}
	if _, err := publisher.New(open); err == nil || !strings.Contains(err.Error(), "--admin-cert") {
		t.Errorf("without a certificate: %v", err)
	}
	half := open
	half.AdminCertificate = "cert.pem"
	if _, err := publisher.New(half); err == nil || !strings.Contains(err.Error(), "key") {
		t.Errorf("without a key: %v", err)
	}
	open.AdminCertificate, open.AdminKey = certificate(t)
	open.Policy, open.FixedTokens = permitEverything(t), roles()
	r := start(t, open)
	if who, err := r.as(secretOf("root")).WhoAmI(t.Context()); err != nil || who.ID != "root" {
		t.Errorf("%+v, %v", who, err)
	}
	if _, err := r.as("").Environments(t.Context()); !refusedWith(err, http.StatusUnauthorized, "unauthenticated") {
		t.Errorf("an unknown caller: %v", err)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/status": 401, "/metrics": 401} {
		if a := r.ask(http.MethodGet, path, "", "Authorization", ""); a.status != want {
			t.Errorf("%s without a token: %d %s, want %d", path, a.status, a.body, want)
		}
		if a := r.ask(http.MethodGet, path, "", "Authorization", "Bearer "+secretOf("root"), "Host", "flags.example"); a.status != 200 {
			t.Errorf("%s with a token: %d %s", path, a.status, a.body)
		}
	}
}

// Without a token no one writes. Where anybody may read, that is all that they may.
func TestAnonymousReads(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), AnonymousReads: true})
	r.create("prod")
	r.put("prod", "f", flagBody("on", ""), absent())
	const environment = "/api/v1/environments/prod"
	for path, want := range map[string]int{
		environment: 200, environment + "/flags/f": 200, environment + "/flags/f/history": 200, environment + "/requests": 200,
		environment + "/ledger": 401, environment + "/activity": 401, environment + "/tasks": 401,
		"/api/v1/environments": 200, "/api/v1/tokens": 401, "/api/v1/whoami": 401,
	} {
		if a := r.ask(http.MethodGet, path, "", "Authorization", ""); a.status != want {
			t.Errorf("GET %s: %d %s, want %d", path, a.status, a.body, want)
		}
		if a := r.ask(http.MethodGet, path, "", "Authorization", "Bearer forged"); a.status != http.StatusUnauthorized {
			t.Errorf("GET %s with a forged token: %d", path, a.status)
		}
	}
	for method, path := range map[string]string{
		http.MethodPut: environment + "/flags/f", http.MethodDelete: environment + "/flags/f", http.MethodPost: environment + "/preview",
	} {
		if a := r.ask(method, path, "{}", "Authorization", ""); a.status != http.StatusUnauthorized {
			t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		}
	}
	text := r.ask(http.MethodGet, "/metrics", "").body
	if line := `flagside_api_requests_total{operation="putFlag",status="401"} 1`; !strings.Contains(text, line) {
		t.Errorf("the metrics lack %s", line)
	}
}

// The first token is in a file for its owner alone, stays the same over restarts, and makes others.
func TestTheFirstToken(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	file := filepath.Join(t.TempDir(), publisher.AdminTokenFile)
	o := publisher.Options{NATS: server.URL(), AdminTokenFile: file}
	r := start(t, o)
	secret, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: others can read the token", err)
	}
	if strings.Contains(r.log.String(), strings.TrimSpace(string(secret))) {
		t.Error("the token stands in the log")
	}
	owner := r.as(strings.TrimSpace(string(secret)))
	created, err := owner.CreateToken(t.Context(), api.NewToken{Name: "build", Groups: []string{access.RoleEditor}, Scope: &api.Scope{Environments: []string{"shop"}}}, api.AdministrationHeaders{})
	if err != nil {
		t.Fatal(err)
	}
	other := start(t, o) // another publisher of the same installation, with the same file
	if again, err := os.ReadFile(file); err != nil || !bytes.Equal(again, secret) {
		t.Errorf("the file was written anew: %v", err)
	}
	who, err := other.as(created.Secret).WhoAmI(t.Context())
	if err != nil || who.ID != "token:"+created.Token.ID || who.Scope == nil {
		t.Errorf("%+v, %v", who, err)
	}
	if _, err := owner.RevokeToken(t.Context(), created.Token.ID, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	other.await("the revocation at the other publisher", func() bool {
		_, err := other.as(created.Secret).WhoAmI(t.Context())
		return refusedWith(err, http.StatusUnauthorized, "unauthenticated")
	})
	if list, err := other.as(strings.TrimSpace(string(secret))).Tokens(t.Context()); err != nil || len(list.Items) != 1 || list.Items[0].Revoked.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
}

// Changed policies hold without a restart; those with mistakes never do, and it is said.
func TestPoliciesAreReadAgain(t *testing.T) {
	t.Parallel()
	tracker := health.NewTracker(time.Now)
	o := publisher.Options{DataDir: t.TempDir(), Policy: permitEverything(t), Health: tracker}
	r := start(t, o)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(o.Policy, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mayList := func() bool {
		_, err := r.client.Tokens(t.Context())
		return err == nil
	}
	refused := func() bool {
		for _, c := range tracker.Active() {
			if c.Code == health.PolicyRefused {
				return true
			}
		}
		return false
	}
	write("permit (principal, action, resource")
	r.await("the mistake", refused)
	if !mayList() {
		t.Error("policies with a mistake have taken the place of good ones")
	}
	write(`permit (principal, action == Flagside::Action::"read", resource);`)
	r.await("the new policies", func() bool { return !mayList() && !refused() })
}
