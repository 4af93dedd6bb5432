package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/kubernetestest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/provision"
	"github.com/flagside/flagside/internal/sidecar"
)

// provisioned returns where the Secrets of an installation are mounted, by namespace/name.
func provisioned(t *testing.T) map[string]string {
	t.Helper()
	server := kubernetestest.Start(t, "flagside", "shop")
	plan, err := provision.Parse([]byte(`{
		"release": "flags", "namespace": "flagside", "authority": {"secret": "ca"},
		"certificates": [{"secret": "api-tls", "hosts": ["127.0.0.1"]}, {"secret": "nats-tls", "hosts": ["127.0.0.1"]}],
		"keys": {"secret": "keys"}, "rootKey": {"secret": "root-key"}, "adminToken": {"secret": "admin-token"},
		"users": {"secret": "users"}, "natsAuthority": {"secret": "nats-tls"},
		"sidecars": [
			{"name": "prod", "environment": "prod", "secret": "sidecar", "namespaces": ["shop"]},
			{"name": "staging", "environment": "staging", "secret": "sidecar-staging", "namespaces": ["shop"]}
		]
	}`))
	if err != nil {
		t.Fatal(err)
	}
	err = provision.Run(t.Context(), plan, provision.Options{Store: server.Client(t), Now: time.Now, Report: func(provision.Result) {}})
	if err != nil {
		t.Fatal(err)
	}
	mounts := map[string]string{}
	for at, secret := range server.Secrets(t) {
		mounts[at] = kubernetestest.Mount(t, secret.Data, 0o440) // as for pods with an fsGroup
	}
	return mounts
}

// A publisher and a sidecar that have nothing but the Secrets that publisher provision has made, as Kubernetes mounts them, work with users, TLS and
// trust.
func TestProvisionedInstallation(t *testing.T) {
	t.Parallel()
	mounts := provisioned(t)
	at := func(secret, file string) string { return filepath.Join(mounts[secret], file) }
	if names, err := os.ReadDir(mounts["flagside/keys"]); err != nil || len(names) != 5 { // three files, ..data and what that leads to
		t.Errorf("publishers see %v, %v", names, err)
	}
	nats := freePort(t)
	o := publisher.Options{
		DataDir: t.TempDir(), KeysDir: mounts["flagside/keys"], AdminTokenFile: at("flagside/admin-token", "token"),
		AdminAddr: "127.0.0.1:0", AdminCertificate: at("flagside/api-tls", "tls.crt"), AdminKey: at("flagside/api-tls", "tls.key"),
		NATSAddr: nats, NATSCertificate: at("flagside/nats-tls", "tls.crt"), NATSCertificateKey: at("flagside/nats-tls", "tls.key"),
		NATSUsers: at("flagside/users", "nats-users.json"), Logger: zerolog.Nop(),
	}
	p := startPublisher(t, o)
	code, out := local(t, "environment", "create", "prod", "--admin", "https://"+p.AdminAddr().String(),
		"--token-file", o.AdminTokenFile, "--admin-ca", at("flagside/api-tls", "ca.crt"))
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, out)
	}
	within, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	s := sidecar.Options{
		Environment: "prod", NATS: "tls://" + nats, Credentials: mounts["shop/sidecar"], OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0",
		Logger: zerolog.Nop(),
	}
	if err := sidecar.Check(within, s); err != nil {
		t.Error(err)
	}
	s.Credentials = mounts["shop/sidecar-staging"]
	if err := sidecar.Check(within, s); err == nil {
		t.Error("the credentials of staging are let into prod")
	}
}

// freePort returns an address on loopback that is free.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
