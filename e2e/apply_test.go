package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// A publisher is killed again and again, at any moment, while change requests are opened, approved, applied and withdrawn: each that was
// applied is in the log once, with who has agreed, and none that was withdrawn.
func TestPublisherKilledWhileApplying(t *testing.T) {
	kills := 8
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		kills = 200
	}
	s := newSystem(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	s.startPublisher()
	s.createEnvironment("prod")
	p := newProposals(s)
	proposing, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	for worker := range 2 {
		working.Go(func() {
			for n := 0; proposing.Err() == nil && !t.Failed(); n++ {
				p.propose(fmt.Sprintf("f-%d-%d", worker, n), n%3 == 0)
			}
		})
	}
	for range kills {
		time.Sleep(time.Duration(rand.N(250)) * time.Millisecond)
		s.publisher.Kill()
		s.startPublisher()
	}
	stop()
	working.Wait()
	p.verify()
	t.Logf("%d kills; change requests %v; %d questions were repeated", kills, p.outcomes, p.repeated)
}

// proposals are change requests of one person, with the consent of another.
type proposals struct {
	*system
	author, approver *client.Client
	secrets          [2]string // of both
	approverID       string

	mu       sync.Mutex
	ids      map[string]string // of the requests, by the flag that each creates
	repeated int
	outcomes map[string]int
}

func newProposals(s *system) *proposals {
	s.t.Helper()
	secret, err := os.ReadFile(s.publisher.TokenFile)
	if err != nil {
		s.t.Fatal(err)
	}
	var made [2]api.CreatedToken // by a third one: who makes a token cannot have it approve their own requests
	for i, name := range []string{"author", "approver"} {
		made[i], err = s.client(s.admin, strings.TrimSpace(string(secret))).CreateToken(s.ctx, api.NewToken{Name: name, Groups: []string{"flagside:admin"}}, api.AdministrationHeaders{})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return &proposals{
		system: s, author: s.client(s.admin, made[0].Secret), approver: s.client(s.admin, made[1].Secret), approverID: "token:" + made[1].Token.ID,
		secrets: [2]string{made[0].Secret, made[1].Secret},
		ids:     make(map[string]string), outcomes: make(map[string]int),
	}
}

// client returns a client of a publisher.
func (s *system) client(address, secret string) *client.Client {
	s.t.Helper()
	c, err := client.New(client.Options{Address: "http://" + address, Token: secret})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// propose has a flag made by a change request, which is withdrawn while it is applied if wanted.
func (p *proposals) propose(key string, withdraw bool) {
	document := []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`)
	r, err := insist(p, func() (api.ChangeRequest, error) {
		return p.author.OpenRequest(p.ctx, "prod", api.NewRequest{
			Command: api.Command{Type: "put", Key: key, IfAbsent: true, Document: document}, Reason: "because",
		}, api.ChangeHeaders{IdempotencyKey: key})
	})
	if err != nil {
		p.t.Errorf("open a request for %s: %v", key, err)
		return
	}
	p.mu.Lock()
	p.ids[key] = r.ID
	p.mu.Unlock()
	if _, err = p.agree(r); err != nil {
		p.t.Errorf("approve the request for %s: %v", key, err)
	}
	var racing sync.WaitGroup
	if withdraw {
		racing.Go(func() {
			_, _ = insist(p, func() (api.ChangeRequest, error) {
				return p.author.WithdrawRequest(p.ctx, "prod", r.ID, api.ChangeHeaders{})
			})
		})
	}
	if _, err = insist(p, func() (api.ChangeRequest, error) {
		return p.author.ApplyRequest(p.ctx, "prod", r.ID, api.ChangeHeaders{})
	}); err != nil && !withdraw {
		p.t.Errorf("apply the request for %s: %v", key, err)
	}
	racing.Wait()
}

// agree has the other one approve a request.
func (p *proposals) agree(r api.ChangeRequest) (api.ChangeRequest, error) {
	return insist(p, func() (api.ChangeRequest, error) {
		now, err := p.approver.Request(p.ctx, "prod", r.ID)
		if err != nil || len(now.Approvals) > 0 {
			return now, err // approved by an attempt that was not answered
		}
		return p.approver.ApproveRequest(p.ctx, "prod", r.ID, r.Hash, api.ChangeHeaders{})
	})
}

// insist asks again until there is an answer that decides.
func insist[T any](p *proposals, ask func() (T, error)) (T, error) {
	for {
		r, err := ask()
		problem, answered := errors.AsType[*client.Error](err)
		if err == nil || answered && problem.Status < http.StatusInternalServerError || p.ctx.Err() != nil {
			return r, err
		}
		p.mu.Lock()
		p.repeated++
		p.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
}

// verify compares what became of the requests with the log.
func (p *proposals) verify() {
	p.t.Helper()
	for key, id := range p.ids {
		var r api.ChangeRequest
		err := process.Await(p.ctx, "waiting for the end of request "+id, func() bool {
			r, _ = p.author.Request(p.ctx, "prod", id)
			return r.Status == string(requests.Applied) || r.Status == string(requests.Withdrawn)
		})
		if err != nil {
			p.t.Fatalf("%v: it is %s", err, r.Status)
		}
		p.outcomes[r.Status]++
		history, err := p.author.History(p.ctx, "prod", document.ID{Kind: document.KindFlag, Key: key}, api.HistoryQuery{})
		if problem, ok := errors.AsType[*client.Error](err); ok && problem.Status == http.StatusNotFound {
			err = nil
		}
		if err != nil {
			p.t.Fatal(err)
		}
		want := map[string]int{string(requests.Applied): 1}[r.Status]
		if n := len(history.Items); n != want {
			p.t.Errorf("request %s is %s, and %d entries are in the log", id, r.Status, n)
		}
		for _, entry := range history.Items {
			if entry.Request != id || !slices.Equal(entry.Approvers, []string{p.approverID}) {
				p.t.Errorf("request %s has the entry %+v", id, entry)
			}
		}
	}
	all, err := p.author.AllRequests(p.ctx, "prod", api.RequestQuery{})
	if err != nil || len(all) != len(p.ids) {
		p.t.Errorf("%d requests were opened, and %d are there, %v", len(p.ids), len(all), err)
	}
}

// several is how many flags one request changes here.
const several = 3

// approved returns a request for several flags that another person has approved.
func (p *proposals) approved(name string) api.ChangeRequest {
	p.t.Helper()
	r, err := p.agree(p.opened(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// opened returns a request for several flags.
func (p *proposals) opened(name string) api.ChangeRequest {
	p.t.Helper()
	var changes []api.CommandChange
	for i := range several {
		changes = append(changes, api.CommandChange{
			Key: fmt.Sprintf("%s-%d", name, i), Document: []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`),
		})
	}
	wanted := api.NewRequest{Command: api.Command{Type: "documents", Changes: changes}}
	r, err := insist(p, func() (api.ChangeRequest, error) {
		return p.author.OpenRequest(p.ctx, "prod", wanted, api.ChangeHeaders{IdempotencyKey: name})
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// verifyEntries makes sure that the flags of a request were changed once and together if it is applied, and not at all otherwise.
func (p *proposals) verifyEntries(r api.ChangeRequest) {
	p.t.Helper()
	want := map[string]int{string(requests.Applied): 1}[r.Status]
	for _, c := range r.Changes {
		history, err := insist(p, func() (api.History, error) {
			return p.author.History(p.ctx, "prod", document.ID{Kind: document.KindFlag, Key: c.Key}, api.HistoryQuery{})
		})
		if problem, ok := errors.AsType[*client.Error](err); ok && problem.Status == http.StatusNotFound {
			err = nil
		}
		if err != nil || len(history.Items) != want {
			p.t.Errorf("%s is %s, and %s has %d entries, %v", r.ID, r.Status, c.Key, len(history.Items), err)
		}
		for _, e := range history.Items {
			if e.OpID != r.ID || e.Request != r.ID || !slices.Equal(e.Approvers, []string{p.approverID}) {
				p.t.Errorf("request %s has the entry %+v", r.ID, e)
			}
		}
	}
}
