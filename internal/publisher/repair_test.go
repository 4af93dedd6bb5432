package publisher_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// setRisk writes a record into the ledger of shop, which names a tag.
func (r *running) setRisk(tag string) error {
	_, err := r.client.PutRisk(r.t.Context(), "shop", api.RiskSettings{Tags: []string{tag}}, api.ChangeHeaders{Reason: "test"})
	return err
}

// riskTags returns the tags that the ledger of shop said last.
func (r *running) riskTags() []string {
	risk, err := r.client.Risk(r.t.Context(), "shop")
	if err != nil {
		return []string{err.Error()}
	}
	return risk.Tags
}

// condition returns the detail of a condition, empty if it is not active. It looks at the streams first.
func (r *running) condition(code string) string {
	r.t.Helper()
	r.CheckStreams(r.t.Context())
	_, after, _ := strings.Cut(r.ask(http.MethodGet, "/status", "", "Authorization", "Bearer "+secretOf("admin")).body, `"`+code+`"`)
	detail, _, _ := strings.Cut(after, `"since"`)
	return detail
}

// isProblem reports whether an error is a problem of the API with this status and name.
func isProblem(err error, status int, name string) bool {
	problem, ok := errors.AsType[*client.Error](err)
	return ok && problem.Status == status && strings.HasSuffix(problem.Type, ":"+name)
}

// damages are what can happen to a ledger that has four records, and what a repair says of it.
func damages() map[string]struct {
	do   func(t *testing.T, server *natstest.Server, stream string)
	want api.Repaired
	left string // the newest tag that the ledger has after the repair
} {
	type damaged = struct {
		do   func(t *testing.T, server *natstest.Server, stream string)
		want api.Repaired
		left string
	}
	damage := func(end uint64, lacks ...uint64) func(t *testing.T, server *natstest.Server, stream string) {
		return func(t *testing.T, server *natstest.Server, stream string) {
			t.Helper()
			natstest.Damage(t, server.Client(t), stream, end, lacks...)
		}
	}
	return map[string]damaged{
		"a hole": {damage(4, 3), api.Repaired{
			Stream: "LEDGER_shop", Head: 5, Kept: []uint64{2, 4}, Lost: []api.Interval{{First: 3, Last: 3}},
		}, "third"},
		"a cut end": {damage(2), api.Repaired{
			Stream: "LEDGER_shop", Head: 5, Kept: []uint64{2}, Lost: []api.Interval{{First: 3, Last: 4}}, Lacks: 4,
		}, "first"},
		"gone": {deleteStream, api.Repaired{
			Stream: "LEDGER_shop", Head: 5, Kept: []uint64{}, Lost: []api.Interval{{First: 1, Last: 4}}, Lacks: 4,
		}, ""},
	}
}

// A ledger that is damaged under two publishers is repaired through one of them, and both go on.
func TestRepairLedger(t *testing.T) {
	t.Parallel()
	for name, c := range damages() {
		for _, restarted := range []bool{false, true} {
			what := name + " under a publisher"
			if restarted {
				what = name + " before a publisher starts"
			}
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				server := natstest.Start(t)
				r, other := twoPublishers(t, server)
				r.fillLedger()
				other.await("the ledger at the other publisher", func() bool { return slices.Equal(other.riskTags(), []string{"third"}) })
				if restarted {
					r.stop()
					other.stop()
				}
				c.do(t, server, "LEDGER_shop")
				if restarted {
					r, other = twoPublishers(t, server)
				}
				r.await("the condition", func() bool {
					return strings.Contains(r.condition("journal-damaged"), "flagside ledger repair --environment shop")
				})
				if _, err := r.client.RepairLedger(t.Context(), "shop", api.RepairHeaders{Reason: ""}); !isProblem(err, http.StatusUnprocessableEntity, "invalid-request") {
					t.Errorf("without a reason: %v", err)
				}
				got, err := r.client.RepairLedger(t.Context(), "shop", api.RepairHeaders{Reason: "the disk was broken"})
				if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
					t.Fatalf("repair: %v (-want +got):\n%s", err, diff)
				}
				if tags := r.riskTags(); c.left != "" && !slices.Equal(tags, []string{c.left}) {
					t.Errorf("the ledger says %v, want %s", tags, c.left)
				}
				if err := r.setRisk("after"); err != nil {
					t.Errorf("a record after the repair: %v", err)
				}
				other.await("a record by the other publisher", func() bool { return other.setRisk("other") == nil })
				r.await("what the other one wrote", func() bool { return slices.Equal(r.riskTags(), []string{"other"}) })
				for _, p := range []*running{r, other} {
					p.await("the end of the condition", func() bool { return p.condition("journal-damaged") == "" && p.condition("log-cut") == "" })
				}
				for _, role := range []string{"viewer", "editor", "approver"} {
					if _, err := r.as(secretOf(role)).RepairLedger(t.Context(), "shop", api.RepairHeaders{Reason: "no"}); !isProblem(err, http.StatusForbidden, "forbidden") {
						t.Errorf("%s repairs: %v, want 403", role, err)
					}
				}
				if _, err := r.client.RepairLedger(t.Context(), "shop", api.RepairHeaders{Reason: "again"}); !isProblem(err, http.StatusConflict, "journal-whole") {
					t.Errorf("a ledger that is whole: %v, want 409", err)
				}
			})
		}
	}
}

// twoPublishers starts two publishers with the default policy on a server.
func twoPublishers(t *testing.T, server *natstest.Server) (r, other *running) {
	t.Helper()
	return governed(t, publisher.Options{NATS: server.URL()}), governed(t, publisher.Options{NATS: server.URL()})
}

// fillLedger creates shop, whose ledger then has the keys note and three records, of which the log knows by an entry.
func (r *running) fillLedger() {
	r.t.Helper()
	if _, err := r.client.CreateEnvironment(r.t.Context(), api.NewEnvironment{Name: "shop"}, api.AdministrationHeaders{}); err != nil {
		r.t.Fatal(err)
	}
	r.await("the keys note in the ledger", func() bool {
		a := r.ask(http.MethodGet, "/api/v1/environments/shop/audit/notes/ledger/1", "", "Authorization", "Bearer "+secretOf("admin"))
		return a.status == http.StatusOK
	})
	for _, tag := range []string{"first", "second", "third"} {
		if err := r.setRisk(tag); err != nil {
			r.t.Fatal(err)
		}
	}
	r.put("shop", "f", flagBody("on", ""), absent())
}

// CONTROL is damaged while two publishers run. It is repaired with a token that stands in no journal, as the one in the
// admin token file.
func TestRepairControl(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end   uint64
		lacks []uint64
		want  func(head uint64) api.Repaired
	}{
		"a hole": {0, []uint64{3}, func(head uint64) api.Repaired {
			return api.Repaired{Stream: "CONTROL", Head: head + 1, Kept: []uint64{2, head}, Lost: []api.Interval{{First: 3, Last: 3}}}
		}},
		"a cut end": {4, nil, func(head uint64) api.Repaired {
			return api.Repaired{
				Stream: "CONTROL", Head: head + 1, Kept: []uint64{4}, Lost: []api.Interval{{First: 5, Last: head}}, Lacks: head,
			}
		}},
	} {
		for _, restarted := range []bool{false, true} {
			what := name + " under a publisher"
			if restarted {
				what = name + " before a publisher starts"
			}
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				server := natstest.Start(t)
				r, other := twoPublishers(t, server)
				head := r.fillControl(other)
				if restarted {
					r.stop()
					other.stop()
				}
				natstest.Damage(t, server.Client(t), "CONTROL", max(c.end, head*uint64(len(c.lacks))), c.lacks...)
				if restarted {
					r, other = governedAnyway(t, publisher.Options{NATS: server.URL()}), governedAnyway(t, publisher.Options{NATS: server.URL()})
				}
				r.await("the condition", func() bool {
					return strings.Contains(r.condition("journal-damaged"), "flagside ledger repair --control")
				})
				for _, role := range []string{"viewer", "editor", "approver", "elsewhere"} {
					if _, err := r.as(secretOf(role)).RepairControl(t.Context(), api.RepairHeaders{Reason: "no"}); !isProblem(err, http.StatusForbidden, "forbidden") {
						t.Errorf("%s repairs: %v, want 403", role, err)
					}
				}
				if len(c.lacks) == 0 {
					_, err := r.client.CreateToken(t.Context(), api.NewToken{Name: "n", Groups: []string{access.RoleViewer}}, api.AdministrationHeaders{})
					if !isProblem(err, http.StatusServiceUnavailable, "journal-cut") {
						t.Errorf("a token is created behind a cut end: %v, want 503", err)
					}
				}
				got, err := r.client.RepairControl(t.Context(), api.RepairHeaders{Reason: "the disk was broken"})
				if diff := cmp.Diff(c.want(head), got); diff != "" || err != nil {
					t.Fatalf("repair: %v (-want +got):\n%s", err, diff)
				}
				if _, err := r.client.AdoptEnvironment(t.Context(), "shop", api.AdministrationHeaders{}); (err == nil) != (len(c.lacks) > 0) {
					t.Errorf("the environment, whose record is in the hole, is adopted: %v", err)
				}
				for _, p := range []*running{r, other} {
					p.await("an environment", func() bool {
						name := "new-" + strings.TrimPrefix(p.AdminAddr().String(), "127.0.0.1:")
						_, err := p.client.CreateEnvironment(t.Context(), api.NewEnvironment{Name: name}, api.AdministrationHeaders{})
						return err == nil
					})
					p.await("a token", func() bool {
						created, err := p.client.CreateToken(t.Context(), api.NewToken{Name: "n", Groups: []string{access.RoleViewer}}, api.AdministrationHeaders{})
						if err != nil {
							return false
						}
						_, err = p.as(created.Secret).WhoAmI(t.Context())
						return err == nil
					})
					p.await("the end of the condition", func() bool { return p.condition("journal-damaged") == "" && p.condition("log-cut") == "" })
				}
				if _, err := r.client.RepairControl(t.Context(), api.RepairHeaders{Reason: "again"}); !isProblem(err, http.StatusConflict, "journal-whole") {
					t.Errorf("CONTROL that is whole: %v, want 409", err)
				}
			})
		}
	}
}

// fillControl creates shop and tokens behind the records of keys and policies, and returns the newest record of CONTROL, which the other
// publisher and the log know then.
func (r *running) fillControl(other *running) (head uint64) {
	r.t.Helper()
	r.await("the policies in CONTROL", func() bool { return len(r.policyRecords()) == 1 })
	r.fillLedger()
	for _, name := range []string{"one", "two"} {
		if _, err := r.client.CreateToken(r.t.Context(), api.NewToken{Name: name, Groups: []string{access.RoleViewer}}, api.AdministrationHeaders{}); err != nil {
			r.t.Fatal(err)
		}
	}
	r.await("the tokens at the other publisher", func() bool {
		list, err := other.client.Tokens(r.t.Context())
		return err == nil && len(list.Items) == 2
	})
	r.put("shop", "g", flagBody("on", ""), absent())
	return r.ControlHead()
}

// CONTROL is deleted. It is made again by a repair, the environment that it lost is adopted, and its flags were served all the time.
func TestAdoptAfterControlIsLost(t *testing.T) {
	skipShort(t)
	t.Parallel()
	server := natstest.Start(t)
	r, other := twoPublishers(t, server)
	if _, err := r.client.CreateEnvironment(t.Context(), api.NewEnvironment{Name: "staging"}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"f", "g"} {
		r.put("staging", key, flagBody("on", ""), absent())
	}
	other.await("the flags at the other publisher", func() bool { return other.flagCount("staging") == 2 })
	deleteStream(t, server, "CONTROL")
	r.await("the condition", func() bool {
		return strings.Contains(r.condition("journal-damaged"), "flagside ledger repair --control")
	})
	got, err := r.client.RepairControl(t.Context(), api.RepairHeaders{Reason: "it was deleted"})
	if err != nil || len(got.Kept) != 0 || got.Lacks == 0 {
		t.Fatalf("repaired %+v, %v", got, err)
	}
	r.await("the condition", func() bool {
		return strings.Contains(r.condition("journal-damaged"), "flagside environment adopt staging")
	})
	if n := r.flagCount("staging"); n != 2 {
		t.Errorf("%d flags are served before the environment is adopted, want 2", n)
	}
	late := governed(t, publisher.Options{NATS: server.URL()})
	if n := late.flagCount("staging"); n >= 0 {
		t.Errorf("CONTROL still lists the environment, with %d flags", n)
	}
	if _, err := late.client.CreateEnvironment(t.Context(), api.NewEnvironment{Name: "staging"}, api.AdministrationHeaders{}); !isProblem(err, http.StatusConflict, "environment-forgotten") {
		t.Errorf("it is created: %v, want 409", err)
	}
	if _, err := late.as(secretOf("editor")).AdoptEnvironment(t.Context(), "staging", api.AdministrationHeaders{}); !isProblem(err, http.StatusForbidden, "forbidden") {
		t.Errorf("an editor adopts: %v, want 403", err)
	}
	if _, err := late.client.AdoptEnvironment(t.Context(), "nothing", api.AdministrationHeaders{}); !isProblem(err, http.StatusNotFound, "environment-unknown") {
		t.Errorf("an environment without streams: %v, want 404", err)
	}
	if e, err := late.client.AdoptEnvironment(t.Context(), "staging", api.AdministrationHeaders{}); err != nil || e.Flags != 2 {
		t.Fatalf("adopted %+v, %v", e, err)
	}
	if _, err := late.client.AdoptEnvironment(t.Context(), "staging", api.AdministrationHeaders{}); !isProblem(err, http.StatusConflict, "environment-exists") {
		t.Errorf("adopted again: %v, want 409", err)
	}
	for _, p := range []*running{r, other, late} {
		p.await("the end of the condition", func() bool { return p.condition("journal-damaged") == "" })
		p.await("a change", func() bool {
			_, current, err := p.client.Document(t.Context(), "staging", flagID("f"))
			if err == nil {
				_, _, err = p.client.Put(t.Context(), "staging", flagID("f"), flagBody("off", ""), current, api.ChangeHeaders{})
			}
			return err == nil && p.flagCount("staging") == 2
		})
	}
}

// flagCount returns how many flags are served, -1 if the environment is not known.
func (r *running) flagCount(environment string) int {
	r.t.Helper()
	all, err := r.client.Environments(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range all.Items {
		if e.Name == environment {
			return e.Flags
		}
	}
	return -1
}

// Messages that no publisher signed are a condition that names stream and place, in logs and in journals.
func TestForeignMessagesAreACondition(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r, _ := twoPublishers(t, server)
	r.fillLedger()
	if detail := r.condition("foreign-messages"); detail != "" {
		t.Fatalf("without any: %s", detail)
	}
	c := server.Client(t)
	for _, subject := range []string{"flags.shop.x", "ledger.shop.records", "ledger.shop.records", "control.x"} {
		if _, err := c.Request(subject, []byte("x"), patience); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"FLAGS_shop: 1 since the start, the last at ", "LEDGER_shop: 2 since the start, the last at 5 to 6", "CONTROL: 1 since the start"} {
		r.await(want, func() bool { return strings.Contains(r.condition("foreign-messages"), want) })
	}
	if news := r.ForeignNews(time.Now().Add(time.Hour)); len(news) > 0 {
		t.Errorf("an hour later it is still news: %v", news)
	}
}
