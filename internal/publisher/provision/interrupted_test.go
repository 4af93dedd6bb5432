package provision_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/kubernetestest"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/publisher/provision"
)

// rotate rotates the signing key as people do, and returns what the Secret of the keys is to hold then.
func rotate(t *testing.T, c *cluster, dir string) map[string]string {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Join(filepath.Dir(dir), "root")
	write(root, c.text(t, "flagside/flags-root-key", "root.key"))
	for _, name := range []string{"signing.key", "keys.note", "trust"} {
		write(filepath.Join(dir, name), c.text(t, "flagside/flags-keys", name))
	}
	if _, err := keys.Rotate(dir, root); err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for _, name := range []string{"signing.key", "keys.note", "trust"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		data[name] = string(text)
	}
	return data
}

// scenario is something that a run has to do.
type scenario struct {
	name string
	// prepare brings the cluster to where the run begins, and returns the plan.
	prepare func(t *testing.T, c *cluster) provision.Plan
}

func scenarios() []scenario {
	return []scenario{
		{"a new installation", func(t *testing.T, _ *cluster) provision.Plan {
			t.Helper()
			return plan(t)
		}},
		{"a new sidecar", func(t *testing.T, c *cluster) provision.Plan {
			t.Helper()
			c.must(t, plan(t, func(p *provision.Plan) { p.Sidecars = p.Sidecars[1:] }))
			return plan(t)
		}},
		{"deleted credentials", func(t *testing.T, c *cluster) provision.Plan {
			t.Helper()
			c.must(t, plan(t))
			c.forget("flagside", "flags-sidecar-prod")
			c.forget("shop", "flags-sidecar-prod")
			return plan(t)
		}},
		{"deleted users", func(t *testing.T, c *cluster) provision.Plan {
			t.Helper()
			c.must(t, plan(t))
			c.Delete("flagside", "flags-nats-users")
			return plan(t)
		}},
		{"certificates that end", func(t *testing.T, c *cluster) provision.Plan {
			t.Helper()
			c.must(t, plan(t))
			c.now = start().AddDate(2, 6, 0)
			return plan(t)
		}},
	}
}

// A run that is interrupted at any request, before or after the API server has done it, is completed by the next one. No key, token or seed that was
// ever stored is lost.
func TestInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			whole := newCluster(t, "flagside", "shop")
			p := s.prepare(t, whole)
			whole.Inject(func(string, string) kubernetestest.Fault {
				requests++
				return kubernetestest.Pass
			})
			whole.must(t, p)
			want := shape(t, whole)
			for at := 1; at <= requests; at++ {
				interrupt(t, s, at, kubernetestest.Lose, true, want)
				interrupt(t, s, at, kubernetestest.LoseReply, true, want)
				interrupt(t, s, at, kubernetestest.LoseReply, false, want)
				interrupt(t, s, at, kubernetestest.Refuse, false, want)
			}
		})
	}
}

// interrupt lets one request of a run go wrong, and if the process dies all that follow, and runs it again.
func interrupt(t *testing.T, s scenario, at int, fault kubernetestest.Fault, dies bool, want string) {
	t.Helper()
	c := newCluster(t, "flagside", "shop")
	p := s.prepare(t, c)
	before := c.nkeys(t)
	requests, again := 0, false
	c.Inject(func(method, _ string) kubernetestest.Fault {
		requests++
		switch {
		case requests == at:
			again = method == http.MethodGet && fault != kubernetestest.Refuse && !dies // net/http may ask again by itself
			return fault
		case requests > at && dies:
			return kubernetestest.Lose
		}
		return kubernetestest.Pass
	})
	if _, err := c.provision(t, p, false); err == nil && !again {
		t.Errorf("request %d fails (%d), and the run does not say so", at, fault)
	}
	c.Inject(nil)
	c.inOrder(t, before)
	c.must(t, p)
	if t.Failed() {
		t.Fatalf("request %d, fault %d, dies: %v", at, fault, dies)
	}
	c.verify(t, p)
	c.keepsAll(t)
	if got := shape(t, c); got != want {
		t.Errorf("the end is\n%s\nwant\n%s", got, want)
	}
	writes := c.Writes()
	outcomes(t, c.must(t, p), nil)
	if c.Writes() != writes {
		t.Error("a third run writes")
	}
	if t.Failed() {
		t.Fatalf("request %d, fault %d, dies: %v", at, fault, dies)
	}
}

// nkeys returns the public keys of the NATS users.
func (c *cluster) nkeys(t *testing.T) (nkeys []string) {
	t.Helper()
	text := c.Secrets(t)["flagside/flags-nats-users"].Data["nats-users.json"]
	if text == nil {
		return nil
	}
	users, err := natsserver.ParseUsers(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		nkeys = append(nkeys, u.NKey)
	}
	return nkeys
}

// inOrder fails the test if there is something without what it refers to, apart from users of before: keys without the root key that has signed
// them, certificates without their CA, users without their seed.
func (c *cluster) inOrder(t *testing.T, before []string) {
	t.Helper()
	all := c.Secrets(t)
	for later, first := range map[string]string{"flagside/flags-keys": "flagside/flags-root-key", "flagside/flags-api-tls": "flagside/flags-ca"} {
		if _, ok := all[later]; ok && all[first].Data == nil {
			t.Errorf("there is %s without %s", later, first)
		}
	}
	seeds := map[string]bool{}
	for _, s := range all {
		if seed := s.Data["nats.nkey"]; seed != nil {
			nkey, err := natsserver.NKeyOf(seed)
			if err != nil {
				t.Fatal(err)
			}
			seeds[nkey] = true
		}
	}
	for _, nkey := range c.nkeys(t) {
		if !seeds[nkey] && !slices.Contains(before, nkey) {
			t.Error("there is a NATS user without a seed")
		}
	}
}

// shape says which Secrets there are, and what they have.
func shape(t *testing.T, c *cluster) string {
	t.Helper()
	var lines []string
	for at, s := range c.Secrets(t) {
		for member := range s.Data {
			lines = append(lines, fmt.Sprintf("%s %s %s", at, s.Type, member))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Runs beside each other agree.
func TestRunsBesideEachOther(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for range 5 {
				c := newCluster(t, "flagside", "shop")
				p := s.prepare(t, c)
				var runs sync.WaitGroup
				for range 3 {
					runs.Go(func() {
						if _, err := c.provision(t, p, false); err != nil {
							t.Error(err)
						}
					})
				}
				runs.Wait()
				c.verify(t, p)
				c.keepsAll(t)
				writes := c.Writes()
				outcomes(t, c.must(t, p), nil)
				if c.Writes() != writes {
					t.Error("another run writes")
				}
			}
		})
	}
}

// meddled is a store in which another client changes a Secret before the first update of it.
type meddled struct {
	provision.Store

	meddle func()
	once   sync.Once
}

func (m *meddled) Update(ctx context.Context, s kubernetes.Secret) (kubernetes.Secret, error) {
	m.once.Do(m.meddle)
	return m.Store.Update(ctx, s)
}

// Another client's change of a Secret between reading and writing is not overwritten.
func TestChangesOfOthersStay(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "flagside", "shop")
	c.must(t, plan(t, func(p *provision.Plan) { p.Sidecars = p.Sidecars[1:] }))
	added, _, err := natsserver.NewUser(natsserver.User{Name: "by-hand", Role: natsserver.RolePublisher})
	if err != nil {
		t.Fatal(err)
	}
	store := &meddled{Store: c.Client(t), meddle: func() {
		users, err := natsserver.ParseUsers([]byte(c.text(t, "flagside/flags-nats-users", "nats-users.json")))
		if err != nil {
			t.Fatal(err)
		}
		text, err := natsserver.FormatUsers(append(users, added))
		if err != nil {
			t.Fatal(err)
		}
		c.put(t, "flagside", "flags-nats-users", map[string]string{"nats-users.json": string(text)})
	}}
	err = provision.Run(t.Context(), plan(t), provision.Options{Store: store, Now: start, Report: func(provision.Result) {}})
	users, parseErr := natsserver.ParseUsers([]byte(c.text(t, "flagside/flags-nats-users", "nats-users.json")))
	if err != nil || parseErr != nil || len(users) != 3 || users[1].Name != "by-hand" || users[2].Name != "prod" {
		t.Errorf("%v, %v, %+v", err, parseErr, users)
	}
	c.verify(t, plan(t))
}
