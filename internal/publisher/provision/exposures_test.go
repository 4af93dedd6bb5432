package provision_test

import (
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/kubernetestest"
	"github.com/flagside/flagside/internal/publisher/provision"
)

const exposures = "exposure.key"

// give replaces the key in the Secret of the sidecars of prod in a namespace.
func (c *cluster) give(t *testing.T, namespace, key string) {
	t.Helper()
	at := namespace + "/flags-sidecar-prod"
	c.put(t, namespace, "flags-sidecar-prod", map[string]string{
		"nats.nkey": c.text(t, at, "nats.nkey"), "trust": c.text(t, at, "trust"), "ca.pem": c.text(t, at, "ca.pem"), exposures: key,
	})
}

// All sidecars of an environment get one key for exposures, and those of others another; what has none gets it later.
func TestKeyForExposures(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	c.must(t, p)
	prod := c.text(t, "flagside/flags-sidecar-prod", exposures)
	if _, err := exposurekey.Parse([]byte(prod)); err != nil {
		t.Error(err)
	}
	if c.text(t, "shop/flags-sidecar-prod", exposures) != prod || c.text(t, "flagside/flags-sidecar-staging", exposures) == prod {
		t.Error("sidecars of one environment have other keys, or those of two the same")
	}
	p.Sidecars = append(p.Sidecars, provision.Sidecar{Name: "batch", Environment: "prod", Secret: "flags-batch", Namespaces: []string{"flagside"}})
	c.must(t, p)
	if c.text(t, "flagside/flags-batch", exposures) != prod {
		t.Error("another sidecar of the environment has another key")
	}
	c.give(t, "shop", "")
	results := c.must(t, p)
	if r := results["shop/flags-sidecar-prod"]; r.Outcome != provision.Renewed || !strings.Contains(r.What, "it had no key for exposures") {
		t.Errorf("%+v", r)
	}
	if c.text(t, "shop/flags-sidecar-prod", exposures) != prod {
		t.Error("it has another key now")
	}
	c.keepsAll(t)
}

// A key that people put into a Secret stays, and that it is another is told.
func TestOtherKeyForExposures(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	c.must(t, p)
	for _, text := range []string{string(exposurekey.New().Text()), "no key"} {
		c.give(t, "shop", text)
		r := c.must(t, p)["shop/flags-sidecar-prod"]
		if r.Outcome != provision.Kept || !strings.Contains(r.Next, "key for exposures") || strings.Contains(r.String(), strings.TrimSpace(text)) {
			t.Errorf("%+v", r)
		}
		if c.text(t, "shop/flags-sidecar-prod", exposures) != text {
			t.Error("it was replaced")
		}
	}
}

// No key is made while a Secret that may have one cannot be read.
func TestUnreadableKeyForExposures(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	p := plan(t)
	c.must(t, p)
	key := c.text(t, "shop/flags-sidecar-prod", exposures)
	c.give(t, "flagside", "")
	c.Inject(func(_, path string) kubernetestest.Fault {
		if strings.Contains(path, "/shop/") {
			return kubernetestest.Forbid
		}
		return kubernetestest.Pass
	})
	if _, err := c.provision(t, p, false); err == nil {
		t.Error("no error")
	}
	if c.text(t, "flagside/flags-sidecar-prod", exposures) != "" {
		t.Error("a key was made")
	}
	c.Inject(nil)
	c.must(t, p)
	if c.text(t, "flagside/flags-sidecar-prod", exposures) != key {
		t.Error("it has not the key of the others")
	}
}
