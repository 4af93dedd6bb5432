package provision_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/kubernetestest"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/publisher/provision"
)

// The first run makes everything, the second nothing.
func TestEverythingIsMadeOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	outcomes(t, c.must(t, p), all(provision.Made))
	c.verify(t, p)
	writes, before := c.Writes(), c.Secrets(t)
	if writes != len(all(provision.Made)) {
		t.Errorf("%d writes for %d Secrets", writes, len(all(provision.Made)))
	}
	outcomes(t, c.must(t, p), all(provision.Kept))
	if c.Writes() != writes {
		t.Error("the second run writes")
	}
	if diff := cmp.Diff(before, c.Secrets(t)); diff != "" {
		t.Error("the second run changes something")
	}
}

// A dry run says what a run would do, lets the API server check it, and stores nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside")
	p := plan(t)
	results, err := c.provision(t, p, true)
	if err == nil || !strings.Contains(err.Error(), "namespace shop does not exist") {
		t.Errorf("without a namespace: %v", err)
	}
	want := all(provision.WouldMake)
	delete(want, "shop/flags-sidecar-prod")
	outcomes(t, results, want)
	if c.Writes() != 0 || len(c.Secrets(t)) != 0 {
		t.Error("a dry run writes")
	}
	c.AddNamespace("shop")
	c.must(t, p)
	writes := c.Writes()
	p.Certificates[0].Hosts = append(p.Certificates[0].Hosts, "flags.example")
	if results, err = c.provision(t, p, true); err != nil || c.Writes() != writes {
		t.Errorf("%v, %d writes, want %d", err, c.Writes(), writes)
	}
	outcomes(t, results, map[string]provision.Outcome{"flagside/flags-api-tls": provision.WouldRenew})
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	c.must(t, p)
	leaf := func(name string) *x509.Certificate {
		t.Helper()
		pair, err := tls.X509KeyPair([]byte(c.text(t, "flagside/"+name, "tls.crt")), []byte(c.text(t, "flagside/"+name, "tls.key")))
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf
	}
	api := leaf("flags-api-tls")
	if key, ok := api.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("the key is a %T", api.PublicKey)
	}
	if api.Subject.String() != "" || api.IsCA || !slices.Equal(api.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("the certificate is for %q, a CA: %v, for %v", api.Subject, api.IsCA, api.ExtKeyUsage)
	}
	if !api.NotAfter.Equal(start().AddDate(3, 0, 0)) {
		t.Errorf("the certificate ends on %s", api.NotAfter)
	}
	c.now = start().AddDate(1, 11, 0)
	outcomes(t, c.must(t, p), nil)
	c.now = start().AddDate(2, 1, 0)
	outcomes(t, c.must(t, p), map[string]provision.Outcome{"flagside/flags-api-tls": provision.Renewed, "flagside/flags-nats-tls": provision.Renewed})
	c.verify(t, p)
	c.now = start().AddDate(4, 0, 0)
	p.Certificates[1].Hosts = []string{"127.0.0.1", "flags-nats", "FLAGS-NATS.flagside.svc"}
	outcomes(t, c.must(t, p), map[string]provision.Outcome{"flagside/flags-nats-tls": provision.Renewed})
	slices.Reverse(p.Certificates[1].Hosts)
	outcomes(t, c.must(t, p), nil)
	c.verify(t, p)

	// No certificate outlives its CA, and the end of that is announced.
	c.now = start().AddDate(9, 6, 0)
	results := c.must(t, p)
	if got := leaf("flags-api-tls").NotAfter; !got.Equal(start().AddDate(10, 0, 0)) || !strings.Contains(results["flagside/flags-ca"].Next, "replace the CA") {
		t.Errorf("the certificate ends on %s, and next is %q", got, results["flagside/flags-ca"].Next)
	}
	c.now = start().AddDate(10, 1, 0)
	if _, err := c.provision(t, p, false); err == nil || !strings.Contains(err.Error(), "the CA expired on 2036-11-29") {
		t.Errorf("with a CA that expired: %v", err)
	}
}

// What the CA has not made is not replaced.
func TestCertificatesOfOthers(t *testing.T) {
	t.Parallel()
	other := newCluster(t, "flagside", "shop")
	p := plan(t)
	other.must(t, p)
	c := newCluster(t, "flagside", "shop")
	data := map[string]string{}
	for _, member := range []string{"tls.crt", "tls.key", "ca.crt"} {
		data[member] = other.text(t, "flagside/flags-api-tls", member)
	}
	c.put(t, "flagside", "flags-api-tls", data)
	want := all(provision.Made)
	want["flagside/flags-api-tls"] = provision.Kept
	outcomes(t, c.must(t, p), want)
	if c.text(t, "flagside/flags-api-tls", "tls.crt") != data["tls.crt"] {
		t.Error("the certificate is replaced")
	}
	p.Certificates[0].Hosts = append(p.Certificates[0].Hosts, "flags.example")
	results := c.must(t, p)
	if next := results["flagside/flags-api-tls"].Next; !strings.Contains(next, "it is not for flags.example") {
		t.Errorf("next is %q", next)
	}
	c.now = start().AddDate(3, 1, 0)
	p.Certificates[0].Hosts = p.Certificates[0].Hosts[:1]
	if next := c.must(t, p)["flagside/flags-api-tls"].Next; !strings.Contains(next, "it has ended") {
		t.Errorf("next is %q", next)
	}
	c.put(t, "flagside", "flags-nats-tls", map[string]string{"tls.crt": "x", "tls.key": "SECRET"})
	if _, err := c.provision(t, p, false); err == nil || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "flagside/flags-nats-tls") {
		t.Errorf("a broken certificate: %v", err)
	}
}

// The root key is made once and may leave.
func TestTheRootKeyLiesApart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	if next := c.must(t, p)["flagside/flags-root-key"].Next; !strings.Contains(next, `{.data.root\.key}`) || !strings.Contains(next, "delete secret flags-root-key") {
		t.Errorf("next is %q", next)
	}
	if next := c.must(t, p)["flagside/flags-root-key"].Next; next == "" {
		t.Error("that it lies there is told once only")
	}
	root := c.text(t, "flagside/flags-root-key", "root.key")
	c.forget("flagside", "flags-root-key")
	outcomes(t, c.must(t, p), map[string]provision.Outcome{"flagside/flags-root-key": provision.Away})
	if _, ok := c.Secrets(t)["flagside/flags-root-key"]; ok {
		t.Fatal("another root key is made")
	}
	foreign, err := keys.GenerateRoot()
	if err != nil {
		t.Fatal(err)
	}
	c.put(t, "flagside", "flags-root-key", map[string]string{"root.key": foreign})
	if _, err := c.provision(t, p, false); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("another root key: %v", err)
	}
	c.put(t, "flagside", "flags-root-key", map[string]string{"root.key": root})
	outcomes(t, c.must(t, p), nil)

	// Without a Secret of its own it lies among the keys.
	alone := newCluster(t, "flagside", "shop")
	p = plan(t, func(p *provision.Plan) { p.RootKey = nil })
	if next := alone.must(t, p)["flagside/flags-keys"].Next; !strings.Contains(next, `"path":"/data/root.key"`) {
		t.Errorf("next is %q", next)
	}
	if alone.text(t, "flagside/flags-keys", "root.key") == "" {
		t.Error("there is no root key")
	}
	if next := alone.must(t, p)["flagside/flags-keys"].Next; !strings.Contains(next, "pods that mount") {
		t.Errorf("next is %q", next)
	}
}

// Keys that cannot be used are not replaced, and what needs them is not made.
func TestKeysAreNotReplaced(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	c.put(t, "flagside", "flags-keys", map[string]string{"signing.key": "SECRET"})
	c.put(t, "flagside", "flags-ca", map[string]string{"ca.key": "SECRET"})
	_, err := c.provision(t, plan(t), false)
	for _, told := range []string{"flagside/flags-keys", "keys.note is missing", "flagside/flags-ca", "certificates wait", "sidecars wait"} {
		if err == nil || !strings.Contains(err.Error(), told) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%v does not tell of %q", err, told)
		}
	}
	var made []string
	for at := range c.Secrets(t) {
		made = append(made, at)
	}
	slices.Sort(made)
	if diff := cmp.Diff([]string{"flagside/flags-admin-token", "flagside/flags-ca", "flagside/flags-keys", "flagside/flags-nats-users"}, made); diff != "" {
		t.Error(diff)
	}
	if c.text(t, "flagside/flags-keys", "signing.key") != "SECRET" || c.text(t, "flagside/flags-ca", "ca.key") != "SECRET" {
		t.Error("a key is replaced")
	}
}

// What exists is only read, and must be there.
func TestExisting(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t, func(p *provision.Plan) {
		p.Keys.Existing, p.Users.Existing, p.RootKey, p.Sidecars = true, true, nil, nil
	})
	_, err := c.provision(t, p, false)
	for _, told := range []string{"flagside/flags-keys", "publisher keys init", "flagside/flags-nats-users", "flagside credentials add"} {
		if err == nil || !strings.Contains(err.Error(), told) {
			t.Errorf("%v does not tell of %q", err, told)
		}
	}
	source := newCluster(t, "flagside", "shop")
	source.must(t, plan(t))
	data := map[string]string{}
	for _, member := range []string{"signing.key", "keys.note", "trust"} {
		data[member] = source.text(t, "flagside/flags-keys", member)
	}
	c.put(t, "flagside", "flags-keys", data)
	c.put(t, "flagside", "flags-nats-users", map[string]string{"nats-users.json": source.text(t, "flagside/flags-nats-users", "nats-users.json")})
	outcomes(t, c.must(t, p), nil)
}

// A namespace that does not exist is named, after everything else was done.
func TestNamespaceThatDoesNotExist(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside")
	p := plan(t)
	results, err := c.provision(t, p, false)
	if err == nil || !strings.Contains(err.Error(), "kubectl create namespace shop") {
		t.Errorf("%v", err)
	}
	want := all(provision.Made)
	delete(want, "shop/flags-sidecar-prod")
	outcomes(t, results, want)
	c.AddNamespace("shop")
	outcomes(t, c.must(t, p), map[string]provision.Outcome{"shop/flags-sidecar-prod": provision.Made})
	c.verify(t, p)
	c.keepsAll(t)
}

// A sidecar that is new gets a user; one that is gone is told, and stays.
func TestSidecarsComeAndGo(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	c.must(t, p)
	p.Sidecars = append(p.Sidecars[:1], provision.Sidecar{Name: "test", Environment: "test", Secret: "flags-sidecar-test", Namespaces: []string{"flagside"}})
	results := c.must(t, p)
	outcomes(t, results, map[string]provision.Outcome{
		"flagside/flags-sidecar-test": provision.Made, "flagside/flags-nats-users": provision.Renewed,
		"NATS user staging in flagside/flags-nats-users": provision.NotAskedFor,
	})
	if what := results["flagside/flags-nats-users"].What; !strings.Contains(what, "3 NATS users: user test added") {
		t.Errorf("what: %s", what)
	}
	c.verify(t, p)
	c.keepsAll(t)
	p.Sidecars[0].Environment = "other"
	if _, err := c.provision(t, p, false); err == nil || !strings.Contains(err.Error(), "take another name") {
		t.Errorf("another environment: %v", err)
	}
}

// A Secret that was deleted gets the same seed where another has it, else a new one.
func TestDeletedCredentials(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	c.must(t, p)
	seed := c.text(t, "flagside/flags-sidecar-prod", "nats.nkey")
	c.Delete("flagside", "flags-sidecar-prod")
	outcomes(t, c.must(t, p), map[string]provision.Outcome{"flagside/flags-sidecar-prod": provision.Made})
	if c.text(t, "flagside/flags-sidecar-prod", "nats.nkey") != seed {
		t.Error("there is another seed")
	}
	c.forget("flagside", "flags-sidecar-prod")
	c.forget("shop", "flags-sidecar-prod")
	results := c.must(t, p)
	outcomes(t, results, map[string]provision.Outcome{
		"flagside/flags-sidecar-prod": provision.Made, "shop/flags-sidecar-prod": provision.Made, "flagside/flags-nats-users": provision.Renewed,
	})
	if !strings.Contains(results["flagside/flags-nats-users"].What, "public key of user prod replaced") ||
		!strings.Contains(results["shop/flags-sidecar-prod"].What, "replaces") {
		t.Errorf("%v", results)
	}
	if c.text(t, "flagside/flags-sidecar-prod", "nats.nkey") == seed {
		t.Error("the lost seed is back")
	}
	c.verify(t, p)
	c.keepsAll(t)
}

// A seed gets no successor while a Secret that may have it cannot be read.
func TestUnreadableCredentials(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	c.must(t, p)
	c.Delete("flagside", "flags-sidecar-prod")
	c.Inject(func(_, path string) kubernetestest.Fault {
		if strings.Contains(path, "/shop/") {
			return kubernetestest.Forbid
		}
		return kubernetestest.Pass
	})
	users := c.text(t, "flagside/flags-nats-users", "nats-users.json")
	if _, err := c.provision(t, p, false); err == nil || !strings.Contains(err.Error(), "no successor") || !strings.Contains(err.Error(), "403") {
		t.Errorf("%v", err)
	}
	if c.text(t, "flagside/flags-nats-users", "nats-users.json") != users {
		t.Error("the users have changed")
	}
	c.Inject(nil)
	outcomes(t, c.must(t, p), map[string]provision.Outcome{"flagside/flags-sidecar-prod": provision.Made})
	c.verify(t, p)
	c.keepsAll(t)
}

// The users are found again by the seeds of their sidecars.
func TestUsersThatWereLost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	c.must(t, p)
	users := c.text(t, "flagside/flags-nats-users", "nats-users.json")
	c.Delete("flagside", "flags-nats-users")
	outcomes(t, c.must(t, p), map[string]provision.Outcome{"flagside/flags-nats-users": provision.Made})
	if c.text(t, "flagside/flags-nats-users", "nats-users.json") != users {
		t.Error("there are other users")
	}
}

// Credentials that were put there by hand are not replaced.
func TestCredentialsOfOthers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	c.must(t, p)
	f := func(told, seed string) {
		t.Helper()
		c.put(t, "shop", "flags-sidecar-prod", map[string]string{"nats.nkey": seed, "trust": c.text(t, "flagside/flags-keys", "trust")})
		if _, err := c.provision(t, p, false); err == nil || !strings.Contains(err.Error(), told) || strings.Contains(err.Error(), seed) {
			t.Errorf("%v does not tell of %q", err, told)
		}
		if c.text(t, "shop/flags-sidecar-prod", "nats.nkey") != seed {
			t.Error("the seed is replaced")
		}
	}
	_, seed, err := natsserver.NewUser(natsserver.User{Name: "x", Role: natsserver.RoleSidecar, Environments: []string{"prod"}})
	if err != nil {
		t.Fatal(err)
	}
	f("another seed than that of NATS user prod", string(seed))
	f("it is not the seed", "SECRET")
	c.Delete("flagside", "flags-sidecar-prod")
	f("the seed of NATS user staging", c.text(t, "flagside/flags-sidecar-staging", "nats.nkey"))
}

// Sidecars get a newer trust file and another CA of NATS, but not what another installation has.
func TestCredentialsFollow(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t, func(p *provision.Plan) {
		p.NATSAuthority.Secret = "nats-tls"
		p.Certificates = p.Certificates[:1]
		p.Sidecars = p.Sidecars[:1]
	})
	c.put(t, "flagside", "nats-tls", map[string]string{"ca.crt": "first"})
	c.must(t, p)
	seed := c.text(t, "shop/flags-sidecar-prod", "nats.nkey")

	dir := t.TempDir() + "/keys"
	rotated := rotate(t, c, dir)
	c.put(t, "flagside", "flags-keys", rotated)
	c.put(t, "flagside", "nats-tls", map[string]string{"ca.crt": "second"})
	outcomes(t, c.must(t, p), map[string]provision.Outcome{"flagside/flags-sidecar-prod": provision.Renewed, "shop/flags-sidecar-prod": provision.Renewed})
	at := "shop/flags-sidecar-prod"
	if c.text(t, at, "trust") != rotated["trust"] || c.text(t, at, "ca.pem") != "second" || c.text(t, at, "nats.nkey") != seed {
		t.Error("the credentials have not followed")
	}
	outcomes(t, c.must(t, p), nil)

	other := newCluster(t, "flagside", "shop")
	other.must(t, plan(t))
	before := map[string]string{"nats.nkey": seed, "ca.pem": "second", "trust": other.text(t, "flagside/flags-keys", "trust"), exposures: c.text(t, at, exposures)}
	c.put(t, "shop", "flags-sidecar-prod", before)
	results := c.must(t, p)
	outcomes(t, results, nil)
	if !strings.Contains(results[at].Next, "another installation") || c.text(t, at, "trust") != before["trust"] {
		t.Errorf("next is %q", results[at].Next)
	}
}
