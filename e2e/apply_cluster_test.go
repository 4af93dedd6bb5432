package e2e_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

const (
	// pausedFor is longer than an election takes, and than the server waits for a leader that is silent.
	pausedFor = 12 * time.Second
	// deadFor is how long a server is gone that was killed.
	deadFor = 3 * time.Second
)

// fault is what happens to the server that leads the ledger or the log when a publisher sends one of the writes of an apply.
type fault struct {
	write     int
	paused    bool // or killed
	withdrawn bool // through another publisher, meanwhile
}

func (f fault) String() string {
	return fmt.Sprintf("write %d, paused %v, withdrawn %v", f.write, f.paused, f.withdrawn)
}

// stream returns what is written to.
func (f fault) stream() string {
	if f.write == 1 || f.write == writesOfApply {
		return "LEDGER_prod"
	}
	return "FLAGS_prod"
}

// Of three servers the one that leads is killed, or paused and goes on later, in the middle of an apply of several flags: they are changed all
// or none, once, with their record, and never if the request was withdrawn.
func TestLeaderLostWhileApplying(t *testing.T) {
	t.Parallel()
	faults := []fault{{write: 3}, {write: writesOfApply - 1, paused: true}}
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		faults = nil
		for i := range 4 * writesOfApply {
			faults = append(faults, fault{write: 1 + i/4, paused: i%2 == 1, withdrawn: i/2%2 == 1})
		}
	}
	c := newTappedCluster(t)
	outcomes := map[string]int{}
	for _, f := range faults {
		outcomes[c.suffer(f)]++
	}
	t.Logf("%v", outcomes)
}

// tappedCluster is two publishers over three servers: of one, everything passes a tap.
type tappedCluster struct {
	*proposals

	tap     *tap
	servers *process.Cluster
	tapped  *client.Client // of the publisher behind the tap
}

func newTappedCluster(t *testing.T) *tappedCluster {
	t.Helper()
	s := newSystem(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	servers, err := process.StartCluster(s.ctx, t.TempDir(), natstest.Authorization(t)...)
	t.Cleanup(servers.Kill)
	if err != nil {
		t.Fatal(err)
	}
	if s.publisher, err = binaries.StartPublisherOn(s.ctx, servers, s.admin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.publisher.Kill)
	err = process.Await(s.ctx, "waiting for the environment", func() bool { // three servers that have just begun may take long
		err := binaries.CreateEnvironment(s.ctx, s.admin, "prod")
		return err == nil || strings.Contains(err.Error(), "exists")
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &tappedCluster{tap: newTap(t, strings.Split(servers.Addresses(), ",")...), servers: servers}
	address := addresses(t, 1)[0]
	p, err := binaries.StartPublisherAt(s.ctx, servers, &process.Node{Client: c.tap.addr}, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	c.proposals = newProposals(s)
	c.tapped = s.client(address, c.secrets[0])
	return c
}

// suffer applies a request while something happens to a server, and returns what became of the request.
func (c *tappedCluster) suffer(f fault) string {
	c.t.Helper()
	r := c.approved(strings.NewReplacer(" ", "-", ",", "").Replace(f.String()))
	leader, err := c.servers.Leader(c.ctx, f.stream())
	if err != nil {
		c.t.Fatal(err)
	}
	var meanwhile sync.WaitGroup
	begun := make(chan struct{})
	c.tap.arm(r.ID, func(n int) {
		if n != f.write {
			return
		}
		if f.paused {
			err = leader.Pause()
		} else {
			leader.Kill()
		}
		close(begun)
	}, nil)
	meanwhile.Go(func() {
		<-begun
		if f.withdrawn {
			_, _ = insist(c.proposals, func() (api.ChangeRequest, error) {
				return c.author.WithdrawRequest(c.ctx, "prod", r.ID, api.ChangeHeaders{})
			})
		}
	})
	meanwhile.Go(func() {
		<-begun
		c.mend(f, leader)
	})
	_, _ = insist(c.proposals, func() (api.ChangeRequest, error) {
		return c.tapped.ApplyRequest(c.ctx, "prod", r.ID, api.ChangeHeaders{})
	})
	meanwhile.Wait()
	if err != nil {
		c.t.Fatal(err)
	}
	end := c.awaitEnd(f, r)
	c.verifyEntries(end)
	return end.Status
}

// awaitEnd waits until it is known what became of a request.
func (c *tappedCluster) awaitEnd(f fault, r api.ChangeRequest) (end api.ChangeRequest) {
	c.t.Helper()
	var err error
	waiting := process.Await(c.ctx, "waiting for the end of "+f.String(), func() bool {
		end, err = c.author.Request(c.ctx, "prod", r.ID)
		return err == nil && (end.Status == string(requests.Applied) || end.Status == string(requests.Withdrawn) && f.withdrawn)
	})
	if waiting != nil {
		c.t.Fatalf("%v: it is %q, %v", waiting, end.Status, err)
	}
	return end
}

// mend lets the server go on after a while.
func (c *tappedCluster) mend(f fault, n *process.Node) {
	var err error
	if f.paused {
		time.Sleep(pausedFor)
		err = n.Resume()
	} else {
		time.Sleep(deadFor)
		err = n.Start()
	}
	if err != nil {
		c.t.Error(err)
	}
}
