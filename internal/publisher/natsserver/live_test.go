package natsserver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// takenIn is how long a change of the file of users may take to be in force.
const takenIn = 2 * time.Second

func sidecarOf(t *testing.T, name, environment string) (user natsserver.User, seed string) {
	t.Helper()
	return newUser(t, natsserver.User{Name: name, Role: natsserver.RoleSidecar, Environments: []string{environment}})
}

func writeUsers(t *testing.T, file string, users ...natsserver.User) {
	t.Helper()
	if err := natsserver.WriteUsers(file, users); err != nil {
		t.Fatal(err)
	}
}

// client is a connection that does not come back by itself.
type client struct {
	*nats.Conn

	lost atomic.Bool
}

func dial(t *testing.T, s *natsserver.Server, options ...nats.Option) (*client, error) {
	t.Helper()
	c := &client{}
	options = append(options, nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { c.lost.Store(true) }))
	conn, err := nats.Connect(s.ClientURL(), options...)
	if err != nil {
		return nil, err
	}
	t.Cleanup(conn.Close)
	c.Conn = conn
	return c, nil
}

func withSeed(t *testing.T, seed string) nats.Option {
	t.Helper()
	key, err := nats.NkeyOptionFromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustDial(t *testing.T, s *natsserver.Server, options ...nats.Option) *client {
	t.Helper()
	c, err := dial(t, s, options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// within waits for something, no longer than a change of users may take and a busy machine needs.
func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	begin := time.Now()
	waiting.Until(t, what, done)
	if took := time.Since(begin); took > takenIn {
		t.Errorf("it took %s for %s", took, what)
	}
}

// own connects as the publisher of the process, which always works.
func own(t *testing.T, s *natsserver.Server) *writer.Environments {
	t.Helper()
	name, password := s.User()
	conn := connect(t, flagsync.ConnectOptions{Server: s, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), User: name, Password: password})
	environments, err := writer.OpenEnvironments(t.Context(), conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	return environments
}

// New users are let in, removed ones are disconnected, those that have changed too, and the others notice nothing.
func TestUsersChangeWhileTheServerRuns(t *testing.T) {
	t.Parallel()
	stays, staysSeed := sidecarOf(t, "stays", "prod")
	goes, goesSeed := sidecarOf(t, "goes", "prod")
	moves, movesSeed := sidecarOf(t, "moves", "prod")
	comes, comesSeed := sidecarOf(t, "comes", "staging")
	file := filepath.Join(t.TempDir(), "users.json")
	writeUsers(t, file, stays, goes, moves)
	s := startWith(t, natsserver.Options{Addr: "127.0.0.1:0", UsersFile: file})
	staying, going := mustDial(t, s, withSeed(t, staysSeed)), mustDial(t, s, withSeed(t, goesSeed))
	moving := mustDial(t, s, withSeed(t, movesSeed))
	if _, err := dial(t, s, withSeed(t, comesSeed)); err == nil {
		t.Error("a user is let in that is not known yet")
	}

	moves.Environments = []string{"staging"}
	writeUsers(t, file, stays, moves, comes)
	within(t, "the removed and the changed user to be cut off", func() bool { return going.lost.Load() && moving.lost.Load() })
	within(t, "the new user to be let in", func() bool { _, err := dial(t, s, withSeed(t, comesSeed)); return err == nil })
	if _, err := dial(t, s, withSeed(t, goesSeed)); err == nil {
		t.Error("the removed user is let in again")
	}

	for name, change := range map[string]func() error{
		"broken": func() error { return os.WriteFile(file, []byte("nonsense"), 0o600) },
		"gone":   func() error { return os.Remove(file) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		within(t, "the file that is "+name+" to be noticed", func() bool { return s.UsersError() != nil })
		if _, err := dial(t, s, withSeed(t, staysSeed)); err != nil {
			t.Errorf("a former user is not let in while the file is %s: %v", name, err)
		}
		if _, err := dial(t, s, nats.UserInfo("prod", "")); err == nil {
			t.Errorf("a client without credentials is let in while the file is %s", name)
		}
	}
	writeUsers(t, file, stays)
	within(t, "the file to be in force again", func() bool { return s.UsersError() == nil })
	if staying.lost.Load() {
		t.Error("a user that stayed one was cut off")
	}
}

// With a file of users that is broken from the start, the own publisher works, and no others are let in until it is mended.
func TestUsersAreBrokenFromTheStart(t *testing.T) {
	t.Parallel()
	user, seed := sidecarOf(t, "sidecar", "prod")
	file := writeFile(t, "users.json", []byte("nonsense"))
	s := startWith(t, natsserver.Options{Addr: "127.0.0.1:0", UsersFile: file})
	if s.UsersError() == nil {
		t.Error("a broken file is not reported")
	}
	environments := own(t, s)
	if err := s.AllowEnvironment("prod"); err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), "prod", writer.Order{Actor: "tester"}); err != nil {
		t.Error(err)
	}
	for _, options := range [][]nats.Option{{nats.UserInfo("prod", "")}, {withSeed(t, seed)}} {
		if _, err := dial(t, s, options...); err == nil {
			t.Error("a client is let in although no users are known")
		}
	}
	writeUsers(t, file, user)
	within(t, "the user to be let in", func() bool { _, err := dial(t, s, withSeed(t, seed)); return err == nil })
}

// Once a file of users appears, clients without credentials are cut off, other than those in this process.
func TestUsersAppear(t *testing.T) {
	t.Parallel()
	user, seed := sidecarOf(t, "sidecar", "prod")
	file := filepath.Join(t.TempDir(), "users.json")
	s := startWith(t, natsserver.Options{Addr: "127.0.0.1:0", UsersFile: file, UsersOptional: true})
	guest, inProcess := mustDial(t, s, nats.UserInfo("prod", "")), mustDial(t, s, nats.UserInfo("prod", ""), nats.InProcessServer(s))
	if s.UsersError() != nil {
		t.Error("that there are no users is reported as an error")
	}
	writeUsers(t, file, user)
	within(t, "the guest to be cut off", guest.lost.Load)
	if _, err := dial(t, s, withSeed(t, seed)); err != nil {
		t.Error(err)
	}
	if inProcess.lost.Load() {
		t.Error("a sidecar in this process was cut off")
	}
}

// A flood of names makes no more accounts than it may.
func TestGuestsAreBounded(t *testing.T) {
	t.Parallel()
	s := startWith(t, natsserver.Options{Addr: "127.0.0.1:0"})
	refused := 0
	for i := range natsserver.MaxGuests + 20 {
		c, err := dial(t, s, nats.UserInfo(fmt.Sprint("env-", i), ""))
		if err != nil {
			refused++
			continue
		}
		c.Close()
	}
	if refused != 20 {
		t.Errorf("%d environments were refused, want 20", refused)
	}
	if _, err := dial(t, s, nats.UserInfo("env-0", "")); err != nil {
		t.Errorf("an environment that has an account: %v", err)
	}
}

// Accounts are made while a publisher writes and sidecars follow: none of them is cut off, and nothing is lost.
func TestAccountsAreMadeUnderLoad(t *testing.T) {
	t.Parallel()
	const more, followers, changes = 60, 20, 150
	s := startWith(t, natsserver.Options{Addr: "127.0.0.1:0"})
	environments := own(t, s)
	if err := s.AllowEnvironment("prod"); err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), "prod", writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	var conns []*flagsync.Conn
	var heard atomic.Int64
	for i := range followers {
		o := flagsync.ConnectOptions{
			Keyring: trusttest.Default().Keyring(),
			URL:     s.ClientURL(), User: "prod", Environment: "prod", InboxPrefix: fmt.Sprint("_SC.prod.", i), Logger: zerolog.Nop(),
		}
		conns = append(conns, connect(t, o))
		plain := mustDial(t, s, nats.UserInfo("prod", ""))
		if _, err := plain.Subscribe("feed.prod.>", func(*nats.Msg) { heard.Add(1) }); err != nil {
			t.Fatal(err)
		}
		if err := plain.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	name, password := s.User()
	written := mustDial(t, s, nats.UserInfo(name, password), nats.InProcessServer(s))
	var making sync.WaitGroup
	making.Go(func() {
		for i := range more {
			environment := fmt.Sprint("more-", i)
			if err := s.AllowEnvironment(environment); err != nil {
				t.Error(err)
			}
			if _, err := environments.Create(t.Context(), environment, writer.Order{Actor: "tester"}); err != nil {
				t.Error(err)
			}
			c, err := dial(t, s, nats.UserInfo(environment, ""), nats.CustomInboxPrefix("_SC."+environment+".x"))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := c.Request("flagside.api.STREAM.INFO.FLAGS_"+environment, nil, patience); err != nil {
				t.Errorf("%s: %v", environment, err)
			}
		}
	})
	for range changes {
		if _, err := written.Request("flags.prod.x", []byte("x"), patience); err != nil {
			t.Fatal(err)
		}
	}
	making.Wait()
	waiting.Until(t, "all followers to have all changes", func() bool { return heard.Load() == followers*changes })
	for _, c := range conns {
		if n := c.Reconnects(); n > 0 || !c.Connected() || c.WithoutAccounts() {
			t.Errorf("a follower was cut off %d times", n)
		}
	}
}

// certificateFrom returns the certificate that the server shows, or why it does not like that of the client.
func certificateFrom(s *natsserver.Server, client *tls.Config) (*x509.Certificate, error) {
	var dialer net.Dialer
	raw, err := dialer.DialContext(context.Background(), "tcp", strings.TrimPrefix(strings.TrimPrefix(s.ClientURL(), "tls://"), "nats://"))
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	if err := raw.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	info := make([]byte, 4096)
	if _, err := raw.Read(info); err != nil {
		return nil, err
	}
	conn := tls.Client(raw, client)
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	_, err = conn.Read(info) // with TLS 1.3, what the server thinks of our certificate comes after the handshake
	var refusal *net.OpError
	if errors.As(err, &refusal) && refusal.Op == "remote error" {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates[0], nil
}

// Replaced certificates and authorities are used for new connections; those that are there stay.
func TestCertificatesAreReplaced(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	ca := writeFile(t, "ca.pem", read(t, cert))
	s := startWith(t, natsserver.Options{Addr: "127.0.0.1:0", CertificateFile: cert, KeyFile: key, ClientCAFile: ca})
	client := func(cert, key string) *tls.Config {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	former := client(cert, key)
	before, err := certificateFrom(s, former)
	if err != nil {
		t.Fatal(err)
	}
	staying := mustDial(t, s, nats.UserInfo("prod", ""), nats.Secure(former))

	nextCert, nextKey := certificate(t)
	next := client(nextCert, nextKey)
	if _, err := certificateFrom(s, next); err == nil {
		t.Error("a client certificate is accepted that no authority has signed")
	}
	for from, to := range map[string]string{nextCert: cert, nextKey: key} {
		if err := os.WriteFile(to, read(t, from), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(ca, read(t, nextCert), 0o600); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "the new certificate", func() bool {
		now, err := certificateFrom(s, next)
		return err == nil && !now.Equal(before)
	})
	if _, err := certificateFrom(s, former); err == nil {
		t.Error("a client certificate of the former authority is accepted")
	}
	if staying.lost.Load() {
		t.Error("a client was cut off")
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
