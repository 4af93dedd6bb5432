package natsserver_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

const patience = 20 * time.Second

func writeFile(tb testing.TB, name string, text []byte) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

// certificate writes a self-signed certificate for 127.0.0.1, and its key.
func certificate(tb testing.TB) (certificateFile, keyFile string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nats"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return writeFile(tb, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		writeFile(tb, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
}

// newUser returns a user and the file with its seed.
func newUser(tb testing.TB, u natsserver.User) (made natsserver.User, seedFile string) {
	tb.Helper()
	made, seed, err := natsserver.NewUser(u)
	if err != nil {
		tb.Fatal(err)
	}
	return made, writeFile(tb, u.Name+".nk", seed)
}

func startWith(tb testing.TB, o natsserver.Options) *natsserver.Server {
	tb.Helper()
	if o.StoreDir == "" {
		o.StoreDir = tb.TempDir()
	}
	s, err := natsserver.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	ready, done := context.WithTimeout(tb.Context(), patience)
	defer done()
	if err := s.Ready(ready); err != nil {
		tb.Fatal(err)
	}
	return s
}

// A server beyond loopback encrypts, knows its users, takes in new ones while it runs, and lets its own publisher in without a network.
func TestUsersAndTLS(t *testing.T) {
	t.Parallel()
	sidecar, seed := newUser(t, natsserver.User{Name: "prod", Role: natsserver.RoleSidecar, Environments: []string{"prod"}})
	late, lateSeed := newUser(t, natsserver.User{Name: "late", Role: natsserver.RoleSidecar, Environments: []string{"prod"}})
	users := filepath.Join(t.TempDir(), "users.json")
	if err := natsserver.WriteUsers(users, []natsserver.User{sidecar}); err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t)
	s := startWith(t, natsserver.Options{Addr: "0.0.0.0:0", UsersFile: users, CertificateFile: cert, KeyFile: key, ClientCAFile: cert})

	name, password := s.User()
	own := connect(t, flagsync.ConnectOptions{Server: s, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), User: name, Password: password})
	environments, err := writer.OpenEnvironments(t.Context(), own, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), "prod", writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}

	_, port, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimPrefix(s.ClientURL(), "tls://"), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	options := flagsync.ConnectOptions{
		Keyring: trusttest.Default().Keyring(),
		URL:     "tls://127.0.0.1:" + port, NKey: seed, CA: cert, Certificate: cert, CertificateKey: key, InboxPrefix: "_SC.prod.x", Logger: zerolog.Nop(),
	}
	if err := follow.Check(t.Context(), options, "prod"); err != nil {
		t.Errorf("the sidecar's user: %v", err)
	}
	for what, change := range map[string]func(*flagsync.ConnectOptions){
		"a user that is unknown":    func(o *flagsync.ConnectOptions) { o.NKey = lateSeed },
		"no user":                   func(o *flagsync.ConnectOptions) { o.NKey = "" },
		"no client certificate":     func(o *flagsync.ConnectOptions) { o.Certificate, o.CertificateKey = "", "" },
		"a server without a CA":     func(o *flagsync.ConnectOptions) { o.CA = "" },
		"another user's inbox":      func(o *flagsync.ConnectOptions) { o.InboxPrefix = "_SC.other.x" },
		"the own user with a guess": func(o *flagsync.ConnectOptions) { o.NKey, o.User, o.Password = "", name, "guess" },
	} {
		o := options
		change(&o)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := follow.Check(ctx, o, "prod"); err == nil {
			t.Errorf("%s is let in", what)
		}
		cancel()
	}

	if err := natsserver.WriteUsers(users, []natsserver.User{late}); err != nil {
		t.Fatal(err)
	}
	options.NKey = lateSeed
	waiting.Until(t, "the new user to be let in", func() bool { return follow.Check(t.Context(), options, "prod") == nil })
	options.NKey = seed
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := follow.Check(ctx, options, "prod"); err == nil {
		t.Error("the former user is let in")
	}
	if _, err := environments.List(t.Context()); err != nil {
		t.Errorf("the publisher after the change of users: %v", err)
	}
}

func connect(t *testing.T, o flagsync.ConnectOptions) *flagsync.Conn {
	t.Helper()
	o.Logger = zerolog.Nop()
	c, err := flagsync.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	waiting.Until(t, "a connection", c.Connected)
	return c
}

func TestUsersFile(t *testing.T) {
	t.Parallel()
	one, _ := newUser(t, natsserver.User{Name: "one", Role: natsserver.RoleSidecar, Environments: []string{"prod"}})
	two, _ := newUser(t, natsserver.User{Name: "two", Role: natsserver.RolePublisher, Environments: []string{"prod", "staging"}})
	file := filepath.Join(t.TempDir(), "users.json")
	want := []natsserver.User{one, two}
	if err := natsserver.WriteUsers(file, want); err != nil {
		t.Fatal(err)
	}
	got, err := natsserver.ReadUsers(file)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for name, text := range map[string]string{
		"not JSON":         `nonsense`,
		"another member":   `[{"nam":"x"}]`,
		"no name":          `[{"nkey":"` + one.NKey + `","role":"sidecar","environments":["prod"]}]`,
		"no NKey":          `[{"name":"x","role":"sidecar","environments":["prod"]}]`,
		"another role":     `[{"name":"x","nkey":"` + one.NKey + `","role":"root"}]`,
		"two environments": `[{"name":"x","nkey":"` + one.NKey + `","role":"sidecar","environments":["a","b"]}]`,
		"a wildcard":       `[{"name":"x","nkey":"` + one.NKey + `","role":"sidecar","environments":["*"]}]`,
		"a wildcard inbox": `[{"name":"x","nkey":"` + one.NKey + `","role":"sidecar","environments":["a"],"inbox":"_SC.*"}]`,
		"twice": `[{"name":"x","nkey":"` + one.NKey + `","role":"publisher"},` +
			`{"name":"y","nkey":"` + one.NKey + `","role":"publisher"}]`,
	} {
		if _, err := natsserver.ReadUsers(writeFile(t, "users.json", []byte(text))); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// A seed that stands where a public key belongs is not repeated.
func TestUsersKeepSeeds(t *testing.T) {
	t.Parallel()
	user, seedFile := newUser(t, natsserver.User{Name: "one", Role: natsserver.RoleSidecar, Environments: []string{"prod"}})
	seed, err := os.ReadFile(seedFile)
	if err != nil {
		t.Fatal(err)
	}
	if public, err := natsserver.NKeyOf(append(seed, '\n')); public != user.NKey || err != nil {
		t.Errorf("the seed is of %s, want %s: %v", public, user.NKey, err)
	}
	secret := string(seed)
	_, err = natsserver.ParseUsers([]byte(`[{"name":"one","nkey":"` + secret + `","role":"sidecar","environments":["prod"]}]`))
	if err == nil || strings.Contains(err.Error(), secret[:10]) {
		t.Errorf("a seed as a public key: %v", err)
	}
	for _, wrong := range []string{"", "x", secret[:len(secret)-1], user.NKey} {
		if _, err := natsserver.NKeyOf([]byte(wrong)); err == nil || wrong != "" && strings.Contains(err.Error(), wrong) && len(wrong) > 1 {
			t.Errorf("%d bytes that are no seed: %v", len(wrong), err)
		}
	}
}

func FuzzParseUsers(f *testing.F) {
	f.Add([]byte(`[]`))
	f.Add([]byte(`[{"name":"one","nkey":"UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4","role":"sidecar","environments":["prod"]}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		users, err := natsserver.ParseUsers(text)
		if err != nil {
			return
		}
		written, err := natsserver.FormatUsers(users)
		if err != nil {
			t.Fatal(err)
		}
		again, err := natsserver.ParseUsers(written)
		if diff := cmp.Diff(users, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// What is written for other servers lets the same users in.
func TestServerConfig(t *testing.T) {
	t.Parallel()
	sidecar, seed := newUser(t, natsserver.User{Name: "one", Role: natsserver.RoleSidecar, Environments: []string{"prod"}})
	publisher, publisherSeed := newUser(t, natsserver.User{Name: "two", Role: natsserver.RolePublisher, Environments: []string{"prod"}})
	text, err := natsserver.ServerConfig([]natsserver.User{sidecar, publisher})
	if err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(writeFile(t, "nats.conf", text))
	if err != nil {
		t.Fatal(err)
	}
	o.Host, o.Port, o.JetStream, o.StoreDir, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, t.TempDir(), true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	c := connect(t, flagsync.ConnectOptions{URL: s.ClientURL(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), NKey: publisherSeed})
	environments, err := writer.OpenEnvironments(t.Context(), c, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), "prod", writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	options := flagsync.ConnectOptions{URL: s.ClientURL(), Keyring: trusttest.Default().Keyring(), NKey: seed, InboxPrefix: "_SC.prod.x", Logger: zerolog.Nop()}
	if err := follow.Check(t.Context(), options, "prod"); err != nil {
		t.Error(err)
	}
	if err := follow.Check(t.Context(), options, "other"); err == nil {
		t.Error("another environment can be followed")
	}
}

func TestReachIsRefused(t *testing.T) {
	t.Parallel()
	user, _ := newUser(t, natsserver.User{Name: "one", Role: natsserver.RolePublisher})
	users := filepath.Join(t.TempDir(), "users.json")
	if err := natsserver.WriteUsers(users, []natsserver.User{user}); err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t)
	for name, c := range map[string]struct {
		options natsserver.Options
		want    string
	}{
		"users alone":       {natsserver.Options{Addr: "0.0.0.0:0", UsersFile: users}, "flagside credentials"},
		"certificate alone": {natsserver.Options{Addr: "0.0.0.0:0", CertificateFile: cert, KeyFile: key}, "flagside credentials"},
		"no key":            {natsserver.Options{Addr: "127.0.0.1:0", CertificateFile: cert}, "key"},
		"a wrong key":       {natsserver.Options{Addr: "127.0.0.1:0", CertificateFile: cert, KeyFile: cert}, "TLS"},
		"CA alone":          {natsserver.Options{Addr: "127.0.0.1:0", ClientCAFile: cert}, "certificate"},
	} {
		c.options.StoreDir = "d"
		if _, err := natsserver.New(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
