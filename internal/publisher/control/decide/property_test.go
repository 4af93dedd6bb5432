package decide_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/changelog"
)

// needed is how many approvals a risky change needs here.
const needed = 2

// policy permits everything but to apply what is risky without approvals, as the default policy does.
func policy(q access.Question) access.Answer {
	c := q.Circumstances
	if (q.Action == access.Apply || q.Action == access.Change || q.Action == access.Archive) && c.Risk.High && !c.BreakGlass && c.Approvals < needed {
		return access.Answer{Approvals: needed}
	}
	return access.Answer{Permitted: true}
}

func soaking() bool { return os.Getenv("FLAGSIDE_SOAK") == "1" }

// simulation is an environment where people and publishers do something at random, one step after the other.
type simulation struct {
	t          *testing.T
	random     *rand.Rand
	state      *statetest.State
	governance *requests.Governance
	events     [][]byte
	log        []changelog.Record // what was appended
	now        time.Time
	agreed     map[string][]string // who has approved the proposal as it is, as told by the commands themselves
	counts     map[requests.EventType]int
	refused    map[decide.Cause]int
}

// No sequence of commands applies a risky change without the approvals that policy asks for, what was applied is in the log once and
// the reverse, and the sum of the recorded events is the live state.
func TestAnySequenceOfCommands(t *testing.T) {
	t.Parallel()
	seeds := 20
	if soaking() {
		seeds = 2000
	}
	counts, refused := map[requests.EventType]int{}, map[decide.Cause]int{}
	for seed := range seeds {
		s := &simulation{
			t: t, random: rand.New(rand.NewPCG(7, uint64(seed))), state: statetest.Shop(t), governance: requests.NewGovernance("prod"),
			now: time.Unix(1e9, 0), agreed: map[string][]string{}, counts: counts, refused: refused,
		}
		for range 120 {
			s.step()
		}
		s.verify(seed)
	}
	for _, e := range []requests.EventType{
		requests.EventOpened, requests.EventRebased, requests.EventApproved, requests.EventRejected, requests.EventWithdrawn, requests.EventClaimed,
		requests.EventApplied, requests.EventReleased, requests.EventCommented, requests.EventReviewed,
	} {
		if counts[e] == 0 {
			t.Errorf("%s has never happened", e)
		}
	}
	for _, c := range []decide.Cause{decide.CauseStale, decide.CauseForbidden, decide.CauseApprovalRequired, decide.CauseNotOpen} {
		if refused[c] == 0 {
			t.Errorf("nothing was refused for being %s", c)
		}
	}
	t.Logf("events %v, refusals %v", counts, refused)
}

func (s *simulation) step() {
	s.now = s.now.Add(time.Duration(s.random.IntN(3600)) * time.Second)
	switch n := s.random.IntN(20); {
	case n < 3:
		s.command(decide.OpenRequest{ID: fmt.Sprint("r", len(s.events)), ProposalSpec: s.proposing()})
	case n < 4:
		s.write()
	case n < 7:
		s.conclude()
	default:
		requests := s.governance.Requests()
		if len(requests) == 0 {
			return
		}
		r := requests[s.random.IntN(len(requests))]
		if s.random.IntN(2) == 0 {
			r = requests[len(requests)-1]
		}
		s.command(s.about(r))
	}
}

func (s *simulation) about(r requests.Request) decide.RequestCommand {
	switch s.random.IntN(16) {
	case 0:
		return decide.Comment{Request: r.ID, Text: "hm"}
	case 1:
		return decide.Reject{Request: r.ID}
	case 2:
		return decide.Withdraw{Request: r.ID}
	case 3:
		return decide.Rebase{Request: r.ID, ProposalSpec: s.proposing()}
	case 4:
		return decide.Approve{Request: r.ID, Hash: "another"}
	case 5:
		return decide.Review{Request: r.ID}
	case 6, 7, 8, 9:
		if s.random.IntN(2) == 0 {
			return decide.ClaimScheduled{Request: r.ID}
		}
		return decide.ClaimRequest{Request: r.ID}
	default:
		return decide.Approve{Request: r.ID, Hash: r.Hash}
	}
}

func (s *simulation) proposing() decide.ProposalSpec {
	p := decide.ProposalSpec{BreakGlass: s.random.IntN(10) == 0}
	if s.random.IntN(4) == 0 && !p.BreakGlass {
		p.ApplyAt = s.now.Add(time.Duration(s.random.IntN(10)) * time.Hour)
		p.MaxDelay = time.Duration(s.random.IntN(2)) * 3 * time.Hour
	}
	key := []string{"a", "b", "c"}[s.random.IntN(3)]
	live, _ := s.state.Document(statetest.FlagID(key))
	p.Command = decide.Patch{
		ID: statetest.FlagID(key), If: seen(live.Revision),
		Merge: fmt.Appendf(nil, `{"description":"%d","defaultVariant":%q}`, s.random.Int(), []string{"on", "off"}[s.random.IntN(2)]),
	}
	if s.random.IntN(5) == 0 {
		segment, _ := s.state.Document(statetest.SegmentID("staff"))
		body := fmt.Appendf(nil, `{"ends_with":[{"var":"email"},"%d"]}`, s.random.Int())
		p.Command = decide.Put{ID: statetest.SegmentID("staff"), Body: body, If: seen(segment.Revision)}
	}
	return p
}

// command carries out a command of a person.
func (s *simulation) command(c decide.RequestCommand) {
	by := fmt.Sprint("person ", s.random.IntN(4))
	w := decide.DecisionInput{
		Environment: "prod", State: s.state, Now: s.now, Principals: fakePrincipals{authorize: policy},
		Origin: decide.Origin{Actor: by, Reason: "because", Principal: access.Principal{ID: by}},
	}
	e, _, err := decide.Request(s.governance, w, c)
	if refusal, ok := errors.AsType[*decide.Refusal](err); ok {
		s.refused[refusal.Cause]++
		return
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.check(e)
	s.record(e)
}

// check compares an event with what the commands have said, apart from the governance.
func (s *simulation) check(e requests.Event) {
	r, _ := s.governance.Request(e.Request)
	switch e.Type {
	case requests.EventOpened, requests.EventRebased:
		s.agreed[e.Request] = nil
	case requests.EventApproved:
		if e.By == r.Proposal.Author.ID || slices.Contains(s.agreed[e.Request], e.By) {
			s.t.Errorf("%s approves %s, of %s", e.By, e.Request, r.Proposal.Author.ID)
		}
		s.agreed[e.Request] = append(s.agreed[e.Request], e.By)
	case requests.EventClaimed:
		if n := len(s.agreed[e.Request]); n < needed && !r.Proposal.BreakGlass {
			s.t.Errorf("request %s is applied with %d approvals", e.Request, n)
		}
		if s.now.Before(r.Proposal.ApplyAt) {
			s.t.Errorf("request %s is applied before its time", e.Request)
		}
		for _, b := range r.Proposal.Bases {
			if live, _ := s.state.Document(document.ID{Kind: b.Kind, Key: b.Key}); live.Revision != b.Revision {
				s.t.Errorf("request %s is applied although %s has moved", e.Request, b.Key)
			}
		}
	default: // says nothing about approvals
	}
}

func (s *simulation) record(e requests.Event) {
	data, err := e.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	decoded, err := requests.DecodeEvent(data)
	if err != nil {
		s.t.Fatal(err)
	}
	s.events = append(s.events, data)
	s.counts[e.Type]++
	if err := s.governance.Evolve(uint64(len(s.events)), decoded); err != nil {
		s.t.Fatal(err)
	}
}

// write changes something past all requests.
func (s *simulation) write() {
	key := []string{"a", "b", "c", "other"}[s.random.IntN(4)]
	s.append("", document.Document{Kind: document.KindFlag, Key: key, Body: statetest.FlagBody("on", fmt.Sprintf(`,"description":"%d"`, s.random.Int()))})
}

func (s *simulation) append(op string, documents ...document.Document) {
	s.state.Apply(s.t, documents)
	for i, d := range documents {
		at := s.state.Revision - uint64(len(documents)-1-i)
		s.log = append(s.log, changelog.Record{Entry: changelog.Entry{Revision: at, Epoch: statetest.Epoch, OpID: op, Kind: d.Kind, Key: d.Key}})
	}
}

// conclude is a publisher who comes by, and is stopped after each of its steps half of the time.
func (s *simulation) conclude() {
	for _, r := range s.governance.Requests() {
		for r.Status == requests.Claimed && s.random.IntN(2) == 0 {
			e := decide.ResolveClaim(s.state, r, search(r, s.log), nil)
			if e.Type == "" {
				documents := make([]document.Document, len(r.Proposal.Changes))
				for i, c := range r.Proposal.Changes {
					documents[i] = document.Document{Kind: c.Kind, Key: c.Key, Body: c.Body}
				}
				s.append(r.ID, documents...)
				continue
			}
			s.record(e)
			r, _ = s.governance.Request(r.ID)
		}
	}
}

func (s *simulation) verify(seed int) {
	for range 100 {
		s.conclude()
	}
	replayed := requests.NewGovernance("prod")
	for i, data := range s.events {
		e, err := requests.DecodeEvent(data)
		if err == nil {
			err = replayed.Evolve(uint64(i+1), e)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if diff := cmp.Diff(s.governance.Requests(), replayed.Requests()); diff != "" {
		s.t.Errorf("seed %d: replay differs (-live +replayed):\n%s", seed, diff)
	}
	for _, r := range replayed.Unfinished() {
		if r.Status != requests.Open && r.Status != requests.NeedsRebase {
			s.t.Errorf("seed %d: request %s is %s and still counts as unfinished", seed, r.ID, r.Status)
		}
	}
	times := make(map[string]int)
	for _, r := range s.log {
		times[r.OpID]++
	}
	for _, r := range s.governance.Requests() {
		want := 0
		if r.Status == requests.Applied {
			want = len(r.Proposal.Changes)
		}
		if r.Status == requests.Claimed || times[r.ID] != want {
			s.t.Errorf("seed %d: request %s is %s, and %d entries are in the log", seed, r.ID, r.Status, times[r.ID])
		}
	}
}

// search looks for a claimed request among records, as Apply does in the log.
func search(r requests.Request, records []changelog.Record) decide.LogEvidence {
	var found decide.LogEvidence
	for _, entry := range records {
		if entry.Revision > r.Claim.Position.Revision {
			found.Add(r, entry)
		}
	}
	return found
}
