package provision_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/kubernetestest"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/publisher/provision"
)

// start is when the tests begin.
func start() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) }

// full is a plan with everything.
const full = `{
  "release": "flags", "namespace": "flagside",
  "authority": {"secret": "flags-ca"},
  "certificates": [
    {"secret": "flags-api-tls", "hosts": ["flags-publisher.flagside.svc", "localhost", "127.0.0.1", "::1"]},
    {"secret": "flags-nats-tls", "hosts": ["flags-nats.flagside.svc", "127.0.0.1"]}
  ],
  "keys": {"secret": "flags-keys", "existing": false},
  "rootKey": {"secret": "flags-root-key"},
  "adminToken": {"secret": "flags-admin-token"},
  "users": {"secret": "flags-nats-users", "existing": false},
  "natsAuthority": {"secret": "flags-nats-tls"},
  "sidecars": [
    {"name": "prod", "environment": "prod", "secret": "flags-sidecar-prod", "namespaces": ["flagside", "shop"]},
    {"name": "staging", "environment": "staging", "secret": "flags-sidecar-staging", "namespaces": ["flagside"]}
  ]
}`

// plan returns the full plan with changes.
func plan(t *testing.T, changes ...func(*provision.Plan)) provision.Plan {
	t.Helper()
	p, err := provision.Parse([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

// cluster is an API server and everything secret that it ever stored.
type cluster struct {
	*kubernetestest.Server

	mu     sync.Mutex
	stored map[string]string // subject by secret
	now    time.Time
}

func newCluster(t *testing.T, namespaces ...string) *cluster {
	t.Helper()
	c := &cluster{Server: kubernetestest.Start(t, namespaces...), stored: map[string]string{}, now: start()}
	c.Watch(func(s kubernetes.Secret) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, member := range []string{"ca.key", "root.key", "signing.key", "token", "nats.nkey", "exposure.key"} {
			if value := s.Data[member]; len(value) > 0 {
				c.stored[string(value)] = s.String() + " " + member
			}
		}
	})
	return c
}

// provision runs a plan, and returns the results by subject. A line of the result or the error that says something secret fails the test.
func (c *cluster) provision(t *testing.T, p provision.Plan, dry bool) (map[string]provision.Result, error) {
	t.Helper()
	o := c.Options()
	o.DryRun = dry
	client, err := kubernetes.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	results := map[string]provision.Result{}
	var lines strings.Builder
	err = provision.Run(t.Context(), p, provision.Options{
		Store: client, DryRun: dry, Now: func() time.Time { return c.now },
		Report: func(r provision.Result) {
			lines.WriteString(r.String() + "\n")
			results[r.Subject] = r
		},
	})
	if err != nil {
		lines.WriteString(err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for secret, at := range c.stored {
		if strings.Contains(lines.String(), strings.TrimSpace(secret)) {
			t.Errorf("what %s holds is shown", at)
		}
	}
	return results, err
}

// must is provision without an error.
func (c *cluster) must(t *testing.T, p provision.Plan) map[string]provision.Result {
	t.Helper()
	results, err := c.provision(t, p, false)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// keepsAll fails the test if something secret was ever stored and is no more.
func (c *cluster) keepsAll(t *testing.T) {
	t.Helper()
	there := map[string]bool{}
	for _, s := range c.Secrets(t) {
		for _, value := range s.Data {
			there[string(value)] = true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for secret, at := range c.stored {
		if !there[secret] {
			t.Errorf("what was stored in %s is lost", at)
		}
	}
}

// forget lets something that a person deletes go.
func (c *cluster) forget(namespace, name string) {
	c.Delete(namespace, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.stored, func(_, at string) bool { return strings.HasPrefix(at, namespace+"/"+name+" ") })
}

// put changes a Secret as people do.
func (c *cluster) put(t *testing.T, namespace, name string, data map[string]string) {
	t.Helper()
	client := c.Client(t)
	s, err := client.Secret(t.Context(), namespace, name)
	isNew := errors.Is(err, kubernetes.ErrNotFound)
	if isNew {
		s, err = kubernetes.Secret{Metadata: kubernetes.Metadata{Namespace: namespace, Name: name}, Type: kubernetes.TypeOpaque}, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Data = map[string][]byte{}
	for member, value := range data {
		s.Data[member] = []byte(value)
	}
	if isNew {
		_, err = client.Create(t.Context(), s)
	} else {
		_, err = client.Update(t.Context(), s)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// text returns a member of a Secret.
func (c *cluster) text(t *testing.T, at, member string) string {
	t.Helper()
	s, ok := c.Secrets(t)[at]
	if !ok {
		t.Fatalf("there is no Secret %s", at)
	}
	return string(s.Data[member])
}

// verify fails the test unless everything that a plan asks for is there and fits together.
func (c *cluster) verify(t *testing.T, p provision.Plan) {
	t.Helper()
	all := c.Secrets(t)
	data := func(namespace, name string, members ...string) map[string][]byte {
		s, ok := all[namespace+"/"+name]
		if !ok {
			t.Fatalf("there is no Secret %s/%s", namespace, name)
		}
		want := slices.Sorted(slices.Values(members))
		if got := slices.Sorted(maps.Keys(s.Data)); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", s, got, want)
		}
		labels := map[string]string{
			"app.kubernetes.io/name": "flagside", "app.kubernetes.io/instance": p.Release, "app.kubernetes.io/managed-by": "publisher-provision",
		}
		if !maps.Equal(s.Metadata.Labels, labels) || s.Metadata.Annotations["helm.sh/resource-policy"] != "keep" {
			t.Errorf("%s has the labels %v and the annotations %v", s, s.Metadata.Labels, s.Metadata.Annotations)
		}
		return s.Data
	}
	authority := data(p.Namespace, p.Authority.Secret, "ca.crt", "ca.key")["ca.crt"]
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatal("the CA has no certificate")
	}
	for _, certificate := range p.Certificates {
		d := data(p.Namespace, certificate.Secret, "tls.crt", "tls.key", "ca.crt")
		pair, err := tls.X509KeyPair(d["tls.crt"], d["tls.key"])
		if err != nil || string(d["ca.crt"]) != string(authority) || all[p.Namespace+"/"+certificate.Secret].Type != kubernetes.TypeTLS {
			t.Fatalf("%s: %v, or another CA or type", certificate.Secret, err)
		}
		for _, host := range certificate.Hosts {
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: c.now}); err != nil {
				t.Errorf("%s: %v", certificate.Secret, err)
			}
		}
	}
	files := keys.Files(data(p.Namespace, p.Keys.Secret, "signing.key", "keys.note", "trust"))
	trust, err := files.Verify()
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.VerifyRoot(string(data(p.Namespace, p.RootKey.Secret, "root.key")["root.key"]), trust); err != nil {
		t.Error(err)
	}
	data(p.Namespace, p.AdminToken.Secret, "token")
	users, err := natsserver.ParseUsers(data(p.Namespace, p.Users.Secret, "nats-users.json")["nats-users.json"])
	if err != nil {
		t.Fatal(err)
	}
	keyOf := map[string]string{}
	for _, s := range p.Sidecars {
		i := slices.IndexFunc(users, func(u natsserver.User) bool { return u.Name == s.Name })
		if i < 0 || !slices.Equal(users[i].Environments, []string{s.Environment}) || users[i].Role != natsserver.RoleSidecar {
			t.Fatalf("there is no NATS user %s: %+v", s.Name, users)
		}
		for _, namespace := range s.Namespaces {
			d := data(namespace, s.Secret, "nats.nkey", "trust", "ca.pem", exposures)
			if _, err := exposurekey.Parse(d[exposures]); err != nil || keyOf[s.Environment] != "" && keyOf[s.Environment] != string(d[exposures]) {
				t.Errorf("%s/%s has another key for exposures than others of environment %s: %v", namespace, s.Secret, s.Environment, err)
			}
			keyOf[s.Environment] = string(d[exposures])
			nkey, err := natsserver.NKeyOf(d["nats.nkey"])
			if err != nil || nkey != users[i].NKey || string(d["trust"]) != string(files["trust"]) || string(d["ca.pem"]) != string(authority) {
				t.Errorf("%s/%s does not fit: %v", namespace, s.Secret, err)
			}
		}
	}
}

// outcomes fails the test unless the results are these, all others being kept.
func outcomes(t *testing.T, got map[string]provision.Result, want map[string]provision.Outcome) {
	t.Helper()
	for subject := range want {
		if _, ok := got[subject]; !ok {
			t.Errorf("nothing is told of %s", subject)
		}
	}
	for subject, result := range got {
		expected, ok := want[subject]
		if !ok {
			expected = provision.Kept
		}
		if result.Outcome != expected {
			t.Errorf("%s, want that it is %s", result, expected)
		}
	}
}

// all says that everything in the full plan has an outcome.
func all(o provision.Outcome) map[string]provision.Outcome {
	return map[string]provision.Outcome{
		"flagside/flags-ca": o, "flagside/flags-api-tls": o, "flagside/flags-nats-tls": o, "flagside/flags-keys": o, "flagside/flags-root-key": o,
		"flagside/flags-admin-token": o, "flagside/flags-nats-users": o, "flagside/flags-sidecar-prod": o, "shop/flags-sidecar-prod": o,
		"flagside/flags-sidecar-staging": o,
	}
}
